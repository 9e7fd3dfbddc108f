//! Where API keys are kept.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{PortError, RevokedSession};
use crate::{
    kernel::{ApiKeyId, Page, PageRequest, UserId},
    modules::auth::domain::ApiKey,
};

/// What became of a key that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiKeyKept {
    /// It is there now.
    Kept,
    /// Its owner has as many as allowed.
    TooMany,
    /// Its owner is suspended or gone.
    NoOwner,
}

/// Where API keys are kept. Their secrets MUST NOT be: only the digest is.
#[async_trait]
pub(crate) trait ApiKeyRepository: Send + Sync {
    /// Keeps a key unless its owner is neither active nor pending, or has `most` of them. Concurrent calls MUST NOT exceed
    /// `most` either.
    async fn keep_api_key(&self, key: &ApiKey, digest: &str, most: u32) -> Result<ApiKeyKept, PortError>;
    /// A user's keys that were not revoked, oldest first; expired ones among them.
    async fn list_api_keys(&self, user: UserId, page: &PageRequest) -> Result<Page<ApiKey>, PortError>;
    /// One of them. `None` for another's.
    async fn find_api_key(&self, user: UserId, id: ApiKeyId) -> Result<Option<ApiKey>, PortError>;
    /// The key with this digest that was not revoked, whoever's; expiry and its owner's state are the caller's to judge.
    async fn find_by_digest(&self, digest: &str) -> Result<Option<ApiKey>, PortError>;
    /// Revokes one of the user's keys. `false` for another's, and for one that was revoked before.
    async fn revoke_api_key(&self, user: UserId, id: ApiKeyId, now: DateTime<Utc>) -> Result<bool, PortError>;
    /// Notes that a key is in use, unless a later use is noted already.
    async fn note_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), PortError>;
    /// The keys that stopped working at or after `since`: revoked ones, and those of users who were suspended or deleted
    /// then. Each with `until`, under its id as that of a session, for the feed of revocations.
    async fn stopped_api_keys(
        &self,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, PortError>;
}
