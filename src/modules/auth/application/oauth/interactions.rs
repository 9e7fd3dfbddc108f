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
    pub(in crate::modules::auth::application) async fn leave(
        &self,
        kind: InteractionKind,
        what: &impl Serialize,
        lifetime: TimeDelta,
    ) -> Result<String, Failure> {
        let secret = new_secret(&*self.random);
        self.leave_by(&secret, kind, what, lifetime).await?;
        Ok(secret)
    }

    /// The same by a secret that the caller has, and nobody can guess.
    pub(in crate::modules::auth::application) async fn leave_by(
        &self,
        secret: &str,
        kind: InteractionKind,
        what: &impl Serialize,
        lifetime: TimeDelta,
    ) -> Result<(), Failure> {
        let body = serde_json::to_string(what).map_err(|error| Failure::Internal(error.to_string()))?;
        let now = self.clock.now();
        let hash = self.digests.digest(secret);
        Ok(self.store.keep(&Interaction { hash, kind, body, created_at: now, expires_at: now + lifetime }).await?)
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
    pub(in crate::modules::auth::application) async fn take<T: DeserializeOwned>(
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
