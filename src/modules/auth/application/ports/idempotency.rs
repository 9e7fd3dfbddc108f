//! Answers that are kept for calls that come again.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::modules::auth::domain::PasswordHash;

/// A call that is about to be made under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Whose key it is.
    pub(crate) owner: String,
    /// The key's hash.
    pub(crate) key_hash: String,
    /// What the call is.
    pub(crate) fingerprint: String,
    /// Now.
    pub(crate) at: DateTime<Utc>,
    /// Until when others with this key wait; after it, the call is taken for lost.
    pub(crate) claimed_until: DateTime<Utc>,
    /// When the key is forgotten.
    pub(crate) expires_at: DateTime<Utc>,
}

/// What a first call left for those that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptAnswer {
    /// The answer, sealed.
    pub(crate) sealed: Vec<u8>,
    /// The hash of the secret that the call carried.
    pub(crate) secret_hash: Option<PasswordHash>,
}

/// What a claim found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Nothing: the call is the caller's to make, and to settle.
    Mine,
    /// Another one with this key is being made.
    UnderWay,
    /// This key stood for another call.
    OtherCall,
    /// The answer of the first.
    Answered(KeptAnswer),
}

/// Where they are kept.
#[async_trait]
pub(crate) trait IdempotencyStore: Send + Sync {
    /// Claims a key. Exactly one of several at once gets `Mine`. A claim that is over without an answer, and a key that has
    /// expired, count as never made.
    async fn claim(&self, claim: &Claim) -> Result<Begun, PortError>;
    /// Keeps the answer of the call that was claimed, unless somebody else claimed it meanwhile.
    async fn keep(&self, claim: &Claim, answer: &KeptAnswer) -> Result<(), PortError>;
    /// Gives a claim back that came to nothing.
    async fn release(&self, claim: &Claim) -> Result<(), PortError>;
}
