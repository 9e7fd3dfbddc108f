//! Passkeys in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::{
    kernel::{Page, PageRequest, PasskeyId, UserId},
    modules::auth::{
        application::{PasskeyKept, PasskeyRepository, PortError},
        domain::{Passkey, PasskeyCredential, UserStatus},
    },
};

#[async_trait]
impl PasskeyRepository for MemoryStore {
    async fn keep_passkey(&self, passkey: &Passkey, most: u32) -> Result<PasskeyKept, PortError> {
        let mut state = self.state();
        let is_in_use = |status| matches!(status, UserStatus::Active | UserStatus::Pending);
        if !state.users.iter().any(|user| user.id == passkey.user_id && is_in_use(user.status)) {
            return Ok(PasskeyKept::NoOwner);
        }
        if state.passkeys.iter().filter(|kept| kept.user_id == passkey.user_id).count() >= most as usize {
            return Ok(PasskeyKept::TooMany);
        }
        if state.passkeys.iter().any(|kept| kept.credential.id == passkey.credential.id) {
            return Ok(PasskeyKept::Known);
        }
        state.passkeys.push(passkey.clone());
        Ok(PasskeyKept::Kept)
    }

    async fn list_passkeys(&self, user: UserId, page: &PageRequest) -> Result<Page<Passkey>, PortError> {
        let state = self.state();
        let mut own: Vec<_> = state.passkeys.iter().filter(|kept| kept.user_id == user).cloned().collect();
        own.sort_by_key(|passkey| passkey.id);
        let after = page.cursor.clone();
        let mut rest = own.into_iter().filter(|own| after.as_ref().is_none_or(|after| own.id.to_string() > *after));
        let items: Vec<Passkey> = rest.by_ref().take(page.limit as usize).collect();
        let next_cursor = rest.next().and(items.last()).map(|passkey| passkey.id.to_string());
        Ok(Page { items, next_cursor })
    }

    async fn passkey_of(&self, credential_id: &str) -> Result<Option<Passkey>, PortError> {
        Ok(self.state().passkeys.iter().find(|kept| kept.credential.id == credential_id).cloned())
    }

    async fn use_passkey(
        &self,
        id: PasskeyId,
        credential: &PasskeyCredential,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        let mut state = self.state();
        let found = state.passkeys.iter_mut().find(|kept| kept.id == id);
        let Some(kept) = found.filter(|kept| credential.follows(kept.credential.sign_count)) else { return Ok(false) };
        kept.credential = PasskeyCredential { id: kept.credential.id.clone(), ..credential.clone() };
        kept.last_used_at = Some(now);
        Ok(true)
    }

    async fn remove_passkey(&self, user: UserId, id: PasskeyId) -> Result<bool, PortError> {
        let mut state = self.state();
        let before = state.passkeys.len();
        state.passkeys.retain(|kept| kept.id != id || kept.user_id != user);
        Ok(state.passkeys.len() < before)
    }
}
