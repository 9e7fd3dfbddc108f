//! A user sees where the account is logged in, and ends a session.

use std::sync::Arc;

use super::{Audit, Failure, RevocationSink, SessionRepository, Settings};
use crate::{
    kernel::{Clock, Page, PageRequest, SessionId, UserId},
    modules::auth::domain::{Actor, Origin, Outcome, Session},
};

/// The use cases.
#[derive(Clone)]
pub(crate) struct Sessions {
    pub(crate) store: Arc<dyn SessionRepository>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl Sessions {
    /// The living sessions of a user, by their beginning.
    pub(crate) async fn list(&self, user: UserId, page: &PageRequest) -> Result<Page<Session>, Failure> {
        Ok(self.store.list_alive(user, page, self.clock.now()).await?)
    }

    /// Ends one of the user's sessions. `NotFound` for another's as for one that is not, or no longer.
    pub(crate) async fn end(&self, user: UserId, id: SessionId, origin: &Origin) -> Result<(), Failure> {
        let now = self.clock.now();
        let session = self.store.find(id).await?.filter(|session| session.user_id == user && session.is_alive(now));
        session.ok_or(Failure::NotFound)?;
        let ended = self.store.revoke(id, "ended_by_user", now, now + self.settings.access_ttl).await?;
        self.revocations.revoked(ended.as_slice());
        tracing::info!(event = "session_ended", user_id = %user, session_id = %id);
        let line = self.audit.entry(Actor::User(user), origin, "session.revoked", Outcome::Success);
        line.target("session", id).detail("reason", "ended-by-user").write().await;
        Ok(())
    }
}
