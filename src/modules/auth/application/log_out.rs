//! A session ends, or all of a user's; its access tokens stop working.

use std::sync::Arc;

use super::{Audit, Failure, RevocationSink, SessionRepository, Settings};
use crate::{
    kernel::{Clock, SessionId, UserId},
    modules::auth::domain::{Actor, Origin, Outcome},
};

/// The use cases.
#[derive(Clone)]
pub(crate) struct LogOut {
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl LogOut {
    /// Ends one session. That it had ended before is no failure.
    pub(crate) async fn one(&self, user: UserId, session: SessionId, origin: &Origin) -> Result<(), Failure> {
        let now = self.clock.now();
        let ended = self.sessions.revoke(session, "logout", now, now + self.settings.access_ttl).await?;
        self.revocations.revoked(ended.as_slice());
        tracing::info!(event = "user_logged_out", user_id = %user, session_id = %session);
        let line = self.audit.entry(Actor::User(user), origin, "session.revoked", Outcome::Success);
        line.target("session", session).detail("reason", "logout").write().await;
        Ok(())
    }

    /// Ends every session of the user.
    pub(crate) async fn all(&self, user: UserId, origin: &Origin) -> Result<(), Failure> {
        let now = self.clock.now();
        let ended = self.sessions.revoke_all(user, "logout_all", now, now + self.settings.access_ttl).await?;
        self.revocations.revoked(&ended);
        tracing::info!(event = "user_logged_out_everywhere", user_id = %user, sessions = ended.len());
        let line = self.audit.entry(Actor::User(user), origin, "session.revoked", Outcome::Success);
        let line = line.target("user", user).detail("reason", "logout-all");
        line.detail("sessions_ended", ended.len()).write().await;
        Ok(())
    }
}
