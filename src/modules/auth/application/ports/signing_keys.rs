//! The keys that tokens are signed with, as operators look after them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::modules::auth::domain::{KeyState, SigningKey};

/// A key and where it is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyStanding {
    /// The key.
    pub(crate) key: SigningKey,
    /// Where it is.
    pub(crate) state: KeyState,
    /// When it will be retired, if nothing happens before; `None` for keys that sign or are yet to.
    pub(crate) retires_at: Option<DateTime<Utc>>,
}

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyRotation {
    /// This key is published now, and signs later.
    Published(SigningKey),
    /// This one was published before, and is yet to sign.
    Waiting(SigningKey),
    /// The algorithm signs with a shared secret, which is configured.
    SharedSecret,
}

/// Looks after the keys.
#[async_trait]
pub(crate) trait KeyCustodian: Send + Sync {
    /// Every key there ever was, oldest first.
    async fn list(&self) -> Result<Vec<KeyStanding>, PortError>;
    /// Publishes a new key of the configured algorithm. It MUST NOT sign before every verifier had the time to learn it.
    /// Exactly one of several concurrent calls publishes one.
    async fn rotate(&self) -> Result<KeyRotation, PortError>;
    /// Retires a key at once: its tokens are refused as soon as that is known, and its private half is gone. When no other
    /// key could sign instead, one MUST be there in the same moment. `false` when there is no such key, or no longer.
    async fn retire(&self, kid: &str) -> Result<bool, PortError>;
    /// Learns what other processes did to the keys, says that this process signs with the one it signs with, and retires
    /// those whose last token has expired, which it names. To be called every second or so.
    async fn tend(&self) -> Result<Vec<String>, PortError>;
}
