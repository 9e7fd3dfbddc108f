//! A user logs in with address and password, and gets a session's first tokens.

use std::sync::Arc;

use super::{Authenticate, Authenticated, Failure, IssueTokens, IssuedTokens, LoginAttempt, SessionRepository};
use crate::{
    kernel::{Clock, FIRST_PARTY, Random, SessionId},
    modules::auth::domain::{Device, Session},
};

/// The use case.
#[derive(Clone)]
pub(crate) struct LogIn {
    pub(crate) authenticate: Authenticate,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) tokens: IssueTokens,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl LogIn {
    /// A new session's tokens.
    pub(crate) async fn run(&self, attempt: LoginAttempt) -> Result<IssuedTokens, Failure> {
        let authenticated = self.authenticate.run(&attempt).await?;
        let device = Device { user_agent: attempt.user_agent, address: Some(attempt.client.to_string()) };
        self.begin_session(authenticated, device).await
    }

    /// The tokens of a user who has shown who it is.
    pub(crate) async fn begin_session(
        &self,
        authenticated: Authenticated,
        device: Device,
    ) -> Result<IssuedTokens, Failure> {
        let Authenticated { user, methods } = authenticated;
        let now = self.clock.now();
        let id = SessionId::new(&*self.clock, &*self.random);
        let ends_at = now + self.tokens.settings.session_ttl;
        let mut session = Session {
            id,
            user_id: user.id,
            client_id: FIRST_PARTY.to_owned(),
            scope: None,
            audience: None,
            device,
            created_at: now,
            authenticated_at: now,
            methods,
            ends_at,
            expires_at: ends_at,
            generation: 0,
            rotated_at: None,
            sealed_successor: None,
            access_expires_at: now,
            revoked_at: None,
        };
        let issued = self.tokens.pair(&user, &session, 0, now).await?;
        session.expires_at = issued.refresh_expires_at;
        session.access_expires_at = issued.access_expires_at;
        if !self.sessions.insert(&session, Some(&user.password_hash)).await? {
            // The password was changed, or the account stopped, since it was looked at.
            return Err(Failure::InvalidCredentials);
        }
        tracing::info!(event = "user_logged_in", user_id = %user.id, session_id = %id);
        Ok(issued)
    }
}
