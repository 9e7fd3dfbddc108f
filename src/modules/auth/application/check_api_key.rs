//! Whom an API key stands for now: its owner, within what the key names and the owner still has.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{ApiKeyRepository, Failure, RoleRepository, UserRepository};
use crate::{
    kernel::{API_KEY_CLIENT, Clock, Principal, SessionId, Subject},
    modules::auth::domain::effective,
};

/// How often a key's last use is written down.
const NOTE_USE_EVERY: TimeDelta = TimeDelta::minutes(1);

/// For how long verifiers are told of a key that stopped working: longer than any of them remembers what it was told before.
pub(crate) const RECALLED: TimeDelta = TimeDelta::minutes(1);

/// The use case.
#[derive(Clone)]
pub(crate) struct CheckApiKey {
    pub(crate) keys: Arc<dyn ApiKeyRepository>,
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) roles: Arc<dyn RoleRepository>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl CheckApiKey {
    /// The principal behind the key of this digest; `None` when there is no such key, or it does not work any longer.
    pub(crate) async fn run(&self, digest: &str) -> Result<Option<Principal>, Failure> {
        let now = self.clock.now();
        let Some(key) = self.keys.find_by_digest(digest).await?.filter(|key| !key.is_expired(now)) else {
            return Ok(None);
        };
        // Verification was asked for when the owner logged in to make the key.
        let owner = self.users.find(key.user_id).await?.filter(|owner| owner.can_log_in(false).is_ok());
        let Some(owner) = owner else { return Ok(None) };
        let catalog = self.roles.catalog().await?;
        let (roles, scopes) = effective(&key.scopes, &owner.roles, &catalog);
        let is_noted = key.last_used_at.is_some_and(|at| now - at < NOTE_USE_EVERY);
        if !is_noted && let Err(error) = self.keys.note_use(key.id, now).await {
            // Whoever holds the key may go on all the same.
            tracing::warn!(event = "api_key_use_not_noted", api_key_id = %key.id, %error);
        }
        Ok(Some(Principal {
            subject: Subject::User(owner.id),
            session_id: SessionId(key.id.0),
            client_id: API_KEY_CLIENT.to_owned(),
            email: Some(owner.email.to_string()),
            roles,
            scopes,
            expires_at: key.expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
        }))
    }
}
