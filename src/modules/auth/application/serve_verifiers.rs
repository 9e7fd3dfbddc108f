//! What verifiers in this and other processes ask for: the public keys, and which sessions ended.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{CheckApiKey, Failure, RECALLED, RevocationFeed, SessionRepository, TokenSigner};
use crate::{
    kernel::{Clock, ErrorKind, Principal},
    modules::auth::api::{AuthApi, AuthError, Revocations},
};

/// How far each stretch of the feed reaches back into the one before. A revocation is stamped before it commits, so one
/// that commits late would be missed without; a commit later than this has failed long ago.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);

/// The use cases.
#[derive(Clone)]
pub(crate) struct ServeVerifiers {
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) api_keys: CheckApiKey,
    pub(crate) clock: Arc<dyn Clock>,
    /// Counts announcements of revocations; what they are is found in the store.
    pub(crate) feed: Arc<dyn RevocationFeed>,
}

#[async_trait]
impl AuthApi for ServeVerifiers {
    async fn api_key(&self, digest: &str) -> Result<Option<Principal>, AuthError> {
        Ok(self.api_keys.run(digest).await?)
    }

    async fn verification_keys(&self) -> Result<String, AuthError> {
        self.issuer.jwks().await.map_err(|error| Failure::from(error).into())
    }

    async fn revocations(&self, after: Option<String>, wait: Duration) -> Result<Revocations, AuthError> {
        let after = after.as_deref().map(read_cursor).transpose()?;
        let mut heard = self.feed.heard();
        if let Some((_, seen)) = after
            && *heard.borrow_and_update() == seen
        {
            // Either end of the wait is an answer.
            let _ = tokio::time::timeout(wait, heard.changed()).await;
        }
        // The count first: what is revoked while the store is asked makes the next call answer at once.
        let seen = *heard.borrow();
        let now = self.clock.now();
        // A moment that is still to come was told before the clock was set back: what was revoked since lies before it.
        let since = after.filter(|(at, _)| *at <= now).map(|(at, _)| at - OVERLAP);
        let mut sessions = self.sessions.revoked(since, now).await.map_err(Failure::from)?;
        // Nobody remembers a key for longer, so that older news of keys is none.
        let keys_since = (now - RECALLED).max(since.unwrap_or(DateTime::<Utc>::MIN_UTC));
        let stopped = self.api_keys.keys.stopped_api_keys(keys_since, now + RECALLED).await.map_err(Failure::from)?;
        sessions.extend(stopped);
        let keys = self.issuer.digest(&self.issuer.jwks().await.map_err(Failure::from)?);
        Ok(Revocations { sessions, keys, cursor: format!("{}-{seen}", now.timestamp_micros()) })
    }
}

/// Cursors are microseconds since 1970, and the count of announcements.
fn read_cursor(cursor: &str) -> Result<(DateTime<Utc>, u64), AuthError> {
    let read = || {
        let (at, seen) = cursor.split_once('-')?;
        Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, seen.parse().ok()?))
    };
    read().ok_or_else(|| AuthError { kind: ErrorKind::Malformed, detail: "the cursor is none of ours".to_owned() })
}
