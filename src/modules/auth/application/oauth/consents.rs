//! A user sees what was allowed to which client, and takes it back.

use std::sync::Arc;

use crate::{
    kernel::{Clock, Page, PageRequest, UserId},
    modules::auth::{
        application::{Audit, ClientRepository, ConsentRepository, Failure, RevocationSink, Settings},
        domain::{Actor, Consent, Origin, Outcome},
    },
};

/// The use cases.
#[derive(Clone)]
pub(crate) struct Consents {
    pub(crate) store: Arc<dyn ConsentRepository>,
    pub(crate) clients: Arc<dyn ClientRepository>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl Consents {
    /// A user's consents, each with the client's name.
    pub(crate) async fn list(&self, user: UserId, page: &PageRequest) -> Result<Page<(Consent, String)>, Failure> {
        let Page { items, next_cursor } = self.store.list(user, page).await?;
        let mut named = Vec::with_capacity(items.len());
        for consent in items {
            let client = self.clients.find(&consent.client_id).await?;
            let name = client.map_or_else(|| consent.client_id.clone(), |client| client.name);
            named.push((consent, name));
        }
        Ok(Page { items: named, next_cursor })
    }

    /// Takes a consent back, and ends the client's sessions of this user. `NotFound` when there is none.
    pub(crate) async fn revoke(&self, user: UserId, client_id: &str, origin: &Origin) -> Result<(), Failure> {
        let now = self.clock.now();
        let ended = self.store.revoke(user, client_id, now, now + self.settings.access_ttl).await?;
        let ended = ended.ok_or(Failure::NotFound)?;
        self.revocations.revoked(&ended);
        tracing::info!(event = "consent_revoked", user_id = %user, client_id, sessions_ended = ended.len());
        let entry = self.audit.entry(Actor::User(user), origin, "consent.revoked", Outcome::Success);
        entry.target("client", client_id).detail("sessions_ended", ended.len()).write().await;
        Ok(())
    }
}
