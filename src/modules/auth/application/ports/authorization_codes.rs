//! Authorization codes.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::{kernel::SessionId, modules::auth::domain::AuthorizationCode};

/// Where authorization codes are kept; a spent one for as long as the session that it gave.
#[async_trait]
pub(crate) trait AuthorizationCodeRepository: Send + Sync {
    /// Keeps a new code.
    async fn keep(&self, code: &AuthorizationCode) -> Result<(), PortError>;
    /// The code of a hash, spent and expired ones too.
    async fn find(&self, hash: &str) -> Result<Option<AuthorizationCode>, PortError>;
    /// Spends a code that is not spent and has not expired: exactly one of several concurrent calls gets `true`.
    async fn spend(&self, hash: &str, now: DateTime<Utc>) -> Result<bool, PortError>;
    /// Notes which session a spent code gave. `true` when the code came a second time meanwhile: then that session is to
    /// end. Of this call and a concurrent [`Self::reuse`] at least one MUST learn of the other.
    async fn gave(&self, hash: &str, session: SessionId) -> Result<bool, PortError>;
    /// Notes that a spent code came again, and tells the session that it gave, if that is known yet.
    async fn reuse(&self, hash: &str, now: DateTime<Utc>) -> Result<Option<SessionId>, PortError>;
    /// The sessions that a client got by what one browser session approved.
    async fn given(&self, browser: SessionId, client_id: &str) -> Result<Vec<SessionId>, PortError>;
}
