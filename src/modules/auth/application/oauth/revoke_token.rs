//! A client gives a token back (RFC 7009): what it belongs to ends, everywhere at once.

use std::sync::Arc;

use super::{OAuthCode, OAuthError};
use crate::{
    kernel::{Clock, SessionId, Subject},
    modules::auth::{
        application::{Audit, ClientGrantRepository, RevocationSink, SessionRepository, Settings, TokenSigner},
        domain::{Actor, Client, Origin, Outcome},
    },
};

/// The use case.
#[derive(Clone)]
pub(crate) struct RevokeToken {
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) grants: Arc<dyn ClientGrantRepository>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl RevokeToken {
    /// Ends the session of an access or refresh token. A token that is unknown, or ended before, is a success (§2.2); one
    /// that was given to another client is refused.
    pub(crate) async fn run(&self, client: &Client, token: &str, origin: &Origin) -> Result<(), OAuthError> {
        if let Some(grant) = self.issuer.read_refresh(token) {
            let Some(session) = self.sessions.find(grant.session).await? else { return Ok(()) };
            must_be(client, &session.client_id)?;
            return self.end_session(client, session.id, "refresh_token", origin).await;
        }
        let Some((grant, _)) = self.issuer.read_access(token) else { return Ok(()) };
        must_be(client, &grant.client_id)?;
        match grant.subject {
            Subject::User(_) => self.end_session(client, grant.session, "access_token", origin).await,
            Subject::Client(_) => {
                let ended = self.grants.revoke_grant(grant.session, self.clock.now()).await?;
                self.revocations.revoked(ended.as_slice());
                if ended.is_some() {
                    self.tell(client, grant.session, "access_token", origin).await;
                }
                Ok(())
            }
        }
    }

    async fn end_session(
        &self,
        client: &Client,
        session: SessionId,
        kind: &str,
        origin: &Origin,
    ) -> Result<(), OAuthError> {
        let now = self.clock.now();
        let until = now + self.settings.access_ttl;
        let ended = self.sessions.revoke(session, "revoked_by_client", now, until).await?;
        self.revocations.revoked(ended.as_slice());
        if ended.is_some() {
            self.tell(client, session, kind, origin).await;
        }
        Ok(())
    }

    async fn tell(&self, client: &Client, session: SessionId, kind: &str, origin: &Origin) {
        tracing::info!(event = "token_revoked", client_id = %client.id, session_id = %session);
        let entry = self.audit.entry(Actor::Client(client.id.clone()), origin, "token.revoked", Outcome::Success);
        entry.target("session", session).detail("client_id", client.id.as_str()).detail("token", kind).write().await;
    }
}

fn must_be(client: &Client, owner: &str) -> Result<(), OAuthError> {
    if client.id == owner {
        return Ok(());
    }
    Err(OAuthError::new(OAuthCode::UnauthorizedClient, "the token was given to another client"))
}
