//! Who is asking: what a verified access token says.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{SessionId, UserId};

/// The client of a login with address and password: the product itself.
pub const FIRST_PARTY: &str = "vestibule";

/// The client of an API key.
pub const API_KEY_CLIENT: &str = "api-key";

/// How an API key begins.
pub const API_KEY_PREFIX: &str = "vk_";

/// In whose name a request is made: a token's `sub` (RFC 9068 §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(UserId),
    /// A client that speaks for itself (RFC 6749 §4.4).
    Client(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Client(id) => f.write_str(id),
        }
    }
}

/// The caller of a request, taken from a verified access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The token's `sub`.
    pub subject: Subject,
    /// The login session: the token's `sid`. For an API key, its id.
    pub session_id: SessionId,
    /// The client that the token was given to.
    pub client_id: String,
    /// The user's address, when the token tells it.
    pub email: Option<String>,
    /// The user's roles at the time of issue.
    pub roles: Vec<String>,
    /// What the token may do: scopes, which for a first-party token are the permissions of its roles.
    pub scopes: Vec<String>,
    /// When the token stops working.
    pub expires_at: DateTime<Utc>,
}

impl Principal {
    /// The user, unless a client speaks for itself.
    pub fn user(&self) -> Option<UserId> {
        match self.subject {
            Subject::User(id) => Some(id),
            Subject::Client(_) => None,
        }
    }

    /// Whether the user logged in with us directly, so that the caller may manage the account itself.
    pub fn is_first_party(&self) -> bool {
        self.client_id == FIRST_PARTY
    }

    /// Whether the token carries this scope (or permission, which is the same namespace).
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    /// Whether the user has this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
}
