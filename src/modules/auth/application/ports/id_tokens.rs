//! What id_tokens say.

use chrono::{DateTime, Utc};

use crate::kernel::{SessionId, UserId};

/// What a client is told of a login.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdGrant<'a> {
    /// `sub`.
    pub(crate) user: UserId,
    /// `aud`.
    pub(crate) client_id: &'a str,
    /// `sid`.
    pub(crate) session: SessionId,
    /// What the client sent to know the answer by.
    pub(crate) nonce: Option<&'a str>,
    /// `auth_time`.
    pub(crate) authenticated_at: DateTime<Utc>,
    /// `amr`, separated by spaces.
    pub(crate) methods: &'a str,
    /// The access token beside it, whose hash goes into `at_hash`.
    pub(crate) access: &'a str,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Whom an id_token of ours speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdHint {
    pub(crate) user: UserId,
    pub(crate) client_id: String,
    pub(crate) session: SessionId,
}
