//! Keeps a process's token verifier supplied: the keys and the revocations of `auth`, wherever that runs.

use std::{sync::Arc, time::Duration};

use crate::{
    kernel::Clock,
    modules::auth::api::{AuthApi, AuthError},
    platform::tokens::{KeyRing, TokenVerifier},
};

/// How long a question about revocations waits for news. What this `auth` revokes is told at once; what another instance
/// of it revokes is found when the wait is over.
const WAIT: Duration = Duration::from_millis(500);
/// After a failure.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two looks at the keys; a new key is published well before it signs.
const KEYS_EVERY: Duration = Duration::from_secs(5);
/// For one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// Feeds one verifier from one `auth`.
pub(super) struct TokenFeed {
    pub(super) auth: Arc<dyn AuthApi>,
    pub(super) verifier: Arc<TokenVerifier>,
    /// The secret of HS256, when that is the algorithm.
    pub(super) shared_secret: Option<String>,
    pub(super) clock: Arc<dyn Clock>,
    known_keys: Option<String>,
    /// What `auth` calls the keys that are known here.
    keys_version: String,
    cursor: Option<String>,
}

impl TokenFeed {
    pub(super) fn new(
        auth: Arc<dyn AuthApi>,
        verifier: Arc<TokenVerifier>,
        shared_secret: Option<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { auth, verifier, shared_secret, clock, known_keys: None, keys_version: String::new(), cursor: None }
    }

    /// Asks for keys and revocations once.
    pub(super) async fn refresh(&mut self) -> Result<(), AuthError> {
        self.refresh_keys().await?;
        self.refresh_revocations().await
    }

    /// Goes on asking until the process ends. A failure is told once, and its end once.
    pub(super) async fn run(mut self) {
        let mut failing = false;
        let mut keys_due = self.clock.monotonic();
        loop {
            let now = self.clock.monotonic();
            let keys_are_due = now >= keys_due || !self.verifier.has_keys();
            let result = if keys_are_due { self.refresh().await } else { self.refresh_revocations().await };
            match &result {
                Ok(()) if failing => tracing::info!(event = "token_feed_recovered"),
                Err(error) if !failing => tracing::warn!(event = "token_feed_failed", %error),
                _ => {}
            }
            failing = result.is_err();
            if failing {
                tokio::time::sleep(PAUSE).await;
            } else if keys_are_due {
                keys_due = now + KEYS_EVERY;
            }
        }
    }

    async fn refresh_keys(&mut self) -> Result<(), AuthError> {
        let jwks = in_time(self.auth.verification_keys()).await?;
        if self.known_keys.as_ref() == Some(&jwks) {
            return Ok(());
        }
        let mut ring =
            KeyRing::from_jwks(&jwks).map_err(|why| unavailable(format!("the keys of auth cannot be used: {why}")))?;
        if let Some(secret) = &self.shared_secret {
            ring = ring.with_shared_secret(secret.as_bytes());
        }
        self.verifier.set_keys(ring);
        self.known_keys = Some(jwks);
        Ok(())
    }

    async fn refresh_revocations(&mut self) -> Result<(), AuthError> {
        // What was revoked before the question is in the answer; what comes after it is not promised.
        let asked_at = self.clock.monotonic();
        let feed = in_time(self.auth.revocations(self.cursor.clone(), WAIT)).await?;
        self.verifier.revocations().add(feed.sessions);
        self.verifier.revocations().complete(asked_at);
        self.cursor = Some(feed.cursor);
        // A key that is gone must not verify until the next look, nor a new one be unknown until then.
        if feed.keys != self.keys_version {
            self.refresh_keys().await?;
            self.keys_version = feed.keys;
        }
        Ok(())
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, AuthError>>) -> Result<T, AuthError> {
    tokio::time::timeout(CALL_TIMEOUT, call)
        .await
        .unwrap_or_else(|_| Err(unavailable("auth did not answer in time".into())))
}

fn unavailable(detail: String) -> AuthError {
    AuthError { kind: crate::kernel::ErrorKind::Unavailable, detail }
}
