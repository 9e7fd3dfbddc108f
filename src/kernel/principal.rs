//! Who is asking: what a verified access token says.

use chrono::{DateTime, Utc};

use super::{SessionId, UserId};

/// The caller of a request, taken from a verified access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user: the token's `sub`.
    pub user_id: UserId,
    /// The login session: the token's `sid`.
    pub session_id: SessionId,
    /// The client that the token was given to.
    pub client_id: String,
    /// The user's address.
    pub email: String,
    /// The user's roles at the time of issue.
    pub roles: Vec<String>,
    /// What the token may do: scopes, which for a first-party token are the permissions of its roles.
    pub scopes: Vec<String>,
    /// When the token stops working.
    pub expires_at: DateTime<Utc>,
}

impl Principal {
    /// Whether the token carries this scope (or permission, which is the same namespace).
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    /// Whether the user has this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
}
