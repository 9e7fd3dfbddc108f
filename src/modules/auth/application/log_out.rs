//! A session ends, or all of a user's; its access tokens stop working.

use std::sync::Arc;

use super::{Failure, RevocationSink, SessionRepository, Settings};
use crate::kernel::{Clock, SessionId, UserId};

/// The use cases.
#[derive(Clone)]
pub(crate) struct LogOut {
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl LogOut {
    /// Ends one session. That it had ended before is no failure.
    pub(crate) async fn one(&self, user: UserId, session: SessionId) -> Result<(), Failure> {
        let now = self.clock.now();
        let ended = self.sessions.revoke(session, "logout", now, now + self.settings.access_ttl).await?;
        self.revocations.revoked(ended.as_slice());
        tracing::info!(event = "user_logged_out", user_id = %user, session_id = %session);
        Ok(())
    }

    /// Ends every session of the user.
    pub(crate) async fn all(&self, user: UserId) -> Result<(), Failure> {
        let now = self.clock.now();
        let ended = self.sessions.revoke_all(user, "logout_all", now, now + self.settings.access_ttl).await?;
        self.revocations.revoked(&ended);
        tracing::info!(event = "user_logged_out_everywhere", user_id = %user, sessions = ended.len());
        Ok(())
    }
}
