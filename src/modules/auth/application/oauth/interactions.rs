//! Leaves something with us until a browser or a client comes back for it.

use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Serialize, de::DeserializeOwned};

use super::secret::new_secret;
use crate::{
    kernel::{Clock, Random},
    modules::auth::{
        application::{Failure, InteractionRepository, TokenSigner},
        domain::{Interaction, InteractionKind},
    },
};

/// What was left, by the secrets that fetch it.
#[derive(Clone)]
pub(crate) struct Interactions {
    pub(crate) store: Arc<dyn InteractionRepository>,
    pub(crate) digests: Arc<dyn TokenSigner>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Interactions {
    /// Leaves something; the answer is the secret that fetches it.
    pub(super) async fn leave(
        &self,
        kind: InteractionKind,
        what: &impl Serialize,
        lifetime: TimeDelta,
    ) -> Result<String, Failure> {
        let secret = new_secret(&*self.random);
        let body = serde_json::to_string(what).map_err(|error| Failure::Internal(error.to_string()))?;
        let now = self.clock.now();
        let hash = self.digests.digest(&secret);
        self.store.keep(&Interaction { hash, kind, body, created_at: now, expires_at: now + lifetime }).await?;
        Ok(secret)
    }

    /// What was left.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        kind: InteractionKind,
        secret: &str,
    ) -> Result<Option<T>, Failure> {
        let hash = self.digests.digest(secret);
        read(self.store.find(kind, &hash, self.clock.now()).await?)
    }

    /// The same, once.
    pub(super) async fn take<T: DeserializeOwned>(
        &self,
        kind: InteractionKind,
        secret: &str,
    ) -> Result<Option<T>, Failure> {
        let hash = self.digests.digest(secret);
        read(self.store.take(kind, &hash, self.clock.now()).await?)
    }
}

/// What another version of us left may not be what we understand: then it is gone.
#[expect(clippy::unnecessary_wraps, reason = "both callers end with it")]
fn read<T: DeserializeOwned>(left: Option<Interaction>) -> Result<Option<T>, Failure> {
    Ok(left.and_then(|left| serde_json::from_str(&left.body).ok()))
}
