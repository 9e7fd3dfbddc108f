//! What verifiers in this and other processes ask for: the public keys, and which sessions ended.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Failure, SessionStore, TokenIssuer};
use crate::{
    kernel::{Clock, ErrorKind},
    modules::auth::api::{AuthApi, AuthError, Revocations},
};

/// How far each stretch of the feed reaches back into the one before. A revocation is stamped before it commits, so one
/// that commits late would be missed without; a commit later than this has failed long ago.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);

/// The use cases.
#[derive(Clone)]
pub(crate) struct ServeVerifiers {
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) issuer: Arc<dyn TokenIssuer>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl AuthApi for ServeVerifiers {
    async fn verification_keys(&self) -> Result<String, AuthError> {
        self.issuer.jwks().await.map_err(|error| Failure::from(error).into())
    }

    async fn revocations(&self, after: Option<String>) -> Result<Revocations, AuthError> {
        let now = self.clock.now();
        let since = match after {
            None => None,
            Some(cursor) => Some(read_cursor(&cursor)? - OVERLAP),
        };
        let sessions = self.sessions.revoked(since, now).await.map_err(Failure::from)?;
        Ok(Revocations { sessions, cursor: now.timestamp_micros().to_string() })
    }
}

/// Cursors are microseconds since 1970.
fn read_cursor(cursor: &str) -> Result<DateTime<Utc>, AuthError> {
    let at = cursor.parse().ok().and_then(DateTime::from_timestamp_micros);
    at.ok_or_else(|| AuthError { kind: ErrorKind::Malformed, detail: "the cursor is none of ours".to_owned() })
}
