//! What a browser or a client left with us and comes back for: requests that wait for a login, requests that were pushed,
//! logins that wait for their second factor.

use chrono::{DateTime, Utc};

/// What was left; one kind is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InteractionKind {
    /// An authorization request whose user has not answered yet.
    Authorization,
    /// An authorization request that a client sent ahead (RFC 9126).
    PushedRequest,
    /// A login whose password was right, and whose second factor is awaited.
    SecondFactor,
    /// A passkey that is being made.
    PasskeyRegistration,
    /// A login by a passkey whose answer is awaited.
    PasskeyLogin,
}

impl InteractionKind {
    /// The name in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::PushedRequest => "pushed_request",
            Self::SecondFactor => "second_factor",
            Self::PasskeyRegistration => "passkey_registration",
            Self::PasskeyLogin => "passkey_login",
        }
    }
}

/// Something left, as it is kept: by the hash of the secret that fetches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interaction {
    /// SHA-256 in hexadecimal.
    pub(crate) hash: String,
    pub(crate) kind: InteractionKind,
    /// What it is, as JSON.
    pub(crate) body: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}
