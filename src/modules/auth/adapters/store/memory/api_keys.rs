//! API keys in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::{
    kernel::{ApiKeyId, Page, PageRequest, SessionId, UserId},
    modules::auth::{
        application::{ApiKeyKept, ApiKeyRepository, PortError, RevokedSession},
        domain::{ApiKey, UserStatus},
    },
};

/// A key as it is kept.
pub(super) struct Kept {
    key: ApiKey,
    digest: String,
    revoked_at: Option<DateTime<Utc>>,
}

impl MemoryStore {
    fn find_key(&self, is_meant: impl Fn(&Kept) -> bool) -> Option<ApiKey> {
        let state = self.state();
        state.api_keys.iter().find(|kept| kept.revoked_at.is_none() && is_meant(kept)).map(|kept| kept.key.clone())
    }
}

#[async_trait]
impl ApiKeyRepository for MemoryStore {
    async fn keep_api_key(&self, key: &ApiKey, digest: &str, most: u32) -> Result<ApiKeyKept, PortError> {
        let mut state = self.state();
        let is_in_use = |status| matches!(status, UserStatus::Active | UserStatus::Pending);
        if !state.users.iter().any(|user| user.id == key.user_id && is_in_use(user.status)) {
            return Ok(ApiKeyKept::NoOwner);
        }
        let is_alike = |kept: &&Kept| kept.key.user_id == key.user_id && kept.revoked_at.is_none();
        if state.api_keys.iter().filter(is_alike).count() >= most as usize {
            return Ok(ApiKeyKept::TooMany);
        }
        state.api_keys.push(Kept { key: key.clone(), digest: digest.to_owned(), revoked_at: None });
        Ok(ApiKeyKept::Kept)
    }

    async fn list_api_keys(&self, user: UserId, page: &PageRequest) -> Result<Page<ApiKey>, PortError> {
        let state = self.state();
        let own = state.api_keys.iter().filter(|kept| kept.key.user_id == user && kept.revoked_at.is_none());
        let mut keys: Vec<_> = own.map(|kept| kept.key.clone()).collect();
        keys.sort_by_key(|key| key.id);
        let after = page.cursor.clone();
        let mut rest = keys.into_iter().filter(|key| after.as_ref().is_none_or(|after| key.id.to_string() > *after));
        let items: Vec<ApiKey> = rest.by_ref().take(page.limit as usize).collect();
        let next_cursor = rest.next().and(items.last()).map(|key| key.id.to_string());
        Ok(Page { items, next_cursor })
    }

    async fn find_api_key(&self, user: UserId, id: ApiKeyId) -> Result<Option<ApiKey>, PortError> {
        Ok(self.find_key(|kept| kept.key.id == id && kept.key.user_id == user))
    }

    async fn find_by_digest(&self, digest: &str) -> Result<Option<ApiKey>, PortError> {
        Ok(self.find_key(|kept| kept.digest == digest))
    }

    async fn revoke_api_key(&self, user: UserId, id: ApiKeyId, now: DateTime<Utc>) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_meant = |kept: &&mut Kept| kept.key.id == id && kept.key.user_id == user && kept.revoked_at.is_none();
        let found = state.api_keys.iter_mut().find(is_meant);
        Ok(found.map(|kept| kept.revoked_at = Some(now)).is_some())
    }

    async fn note_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), PortError> {
        if let Some(kept) = self.state().api_keys.iter_mut().find(|kept| kept.key.id == id) {
            kept.key.last_used_at = kept.key.last_used_at.max(Some(at));
        }
        Ok(())
    }

    async fn stopped_api_keys(
        &self,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, PortError> {
        let state = self.state();
        let is_stopped = |owner| {
            state.users.iter().any(|user| {
                let is_out = matches!(user.status, UserStatus::Suspended | UserStatus::Deleted);
                user.id == owner && is_out && user.updated_at >= since
            })
        };
        let stopped = state
            .api_keys
            .iter()
            .filter(|kept| kept.revoked_at.is_some_and(|at| at >= since) || is_stopped(kept.key.user_id));
        Ok(stopped.map(|kept| (SessionId(kept.key.id.0), until)).collect())
    }
}
