//! What a user agreed to, waiting to be fetched by the client: once, soon, and by nobody else (RFC 6749 §4.1.2).

use chrono::{DateTime, Utc};

use super::CodeChallenge;
use crate::kernel::{SessionId, UserId};

/// Who agreed, and how sure that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approval {
    pub(crate) user: UserId,
    /// The browser's own session, without which nothing that it approved is given.
    pub(crate) browser: SessionId,
    /// When the user last proved who it is.
    pub(crate) authenticated_at: DateTime<Utc>,
    /// How, as RFC 8176 names it, separated by spaces.
    pub(crate) methods: String,
}

/// An authorization code as it is kept: by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthorizationCode {
    /// SHA-256 in hexadecimal.
    pub(crate) hash: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: CodeChallenge,
    pub(crate) scopes: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) approval: Approval,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    /// When it was redeemed.
    pub(crate) spent_at: Option<DateTime<Utc>>,
    /// The session that it gave.
    pub(crate) session: Option<SessionId>,
}
