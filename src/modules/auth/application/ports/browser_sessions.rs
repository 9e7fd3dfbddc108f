//! The browsers' own sessions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::{
    kernel::SessionId,
    modules::auth::domain::{PasswordHash, Session},
};

/// Where it is kept which cookie stands for which session. The session is one as all others: it is listed with them, and
/// whatever ends them ends it.
#[async_trait]
pub(crate) trait BrowserSessionRepository: Send + Sync {
    /// Keeps a new session and its cookie's hash, both or neither, if its user is neither suspended nor deleted and still
    /// has this password; `false` otherwise.
    async fn keep(&self, secret_hash: &str, session: &Session, password: &PasswordHash) -> Result<bool, PortError>;
    /// The session of a cookie's hash, whether or not it has ended.
    async fn find(&self, secret_hash: &str) -> Result<Option<Session>, PortError>;
    /// Lets a session that has not ended live on until `expires_at`.
    async fn touch(&self, id: SessionId, expires_at: DateTime<Utc>) -> Result<(), PortError>;
}
