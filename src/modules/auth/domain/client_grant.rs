//! A token that a client got for itself (RFC 6749 §4.4).

use chrono::{DateTime, Utc};

use crate::kernel::SessionId;

/// What is kept of it, so that it can be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientGrant {
    /// The token's `sid`.
    pub(crate) id: SessionId,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    /// Who the token is for, when it is not the configured audience (RFC 8707).
    pub(crate) audience: Option<String>,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) revoked_at: Option<DateTime<Utc>>,
}
