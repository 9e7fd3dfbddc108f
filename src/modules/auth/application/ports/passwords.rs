//! What is known of passwords that everybody knows.

use async_trait::async_trait;

use super::PortError;
use crate::modules::auth::domain::PlainPassword;

/// Knows which passwords attackers try first.
pub(crate) trait CommonPasswords: Send + Sync {
    /// Whether the password is one of them, or one with the usual ornaments. MUST take far less time than a hash, however
    /// long the password is: it runs where requests are served.
    fn is_common(&self, password: &PlainPassword) -> bool;
}

/// Knows passwords that were stolen somewhere.
#[async_trait]
pub(crate) trait BreachList: Send + Sync {
    /// Whether the password is in the list. `Unavailable` when the list cannot be asked: that is no answer, and MUST NOT
    /// look like one. The password itself, or its whole hash, MUST NOT leave the process.
    async fn is_breached(&self, password: &PlainPassword) -> Result<bool, PortError>;
}
