//! A call that creates something, made under a key, happens once: whoever sends it again gets the answer of the first.
//! The answer is sealed under the key itself, of which only a hash is kept; a secret that the call carried is compared by
//! its password hash.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::{Begun, Claim, Failure, IdempotencyStore, KeptAnswer, PasswordHasher, TokenSigner, Verdict};
use crate::{kernel::Clock, modules::auth::domain::PlainPassword};

/// How long a call may take before it is taken for lost.
const CLAIM: TimeDelta = TimeDelta::seconds(30);
/// How often, and after how long, a call looks again for the answer of the one that came first.
const LOOKS: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// The use case.
#[derive(Clone)]
pub(crate) struct Idempotency {
    pub(crate) store: Arc<dyn IdempotencyStore>,
    pub(crate) tokens: Arc<dyn TokenSigner>,
    pub(crate) passwords: Arc<dyn PasswordHasher>,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long an answer is kept.
    pub(crate) kept_for: TimeDelta,
}

/// A call under a key. It cannot be printed.
#[derive(Clone)]
pub(crate) struct KeyedCall {
    /// Whose key it is.
    pub(crate) owner: String,
    /// The key, as it was sent.
    pub(crate) key: String,
    /// Method, path and body, without the secret.
    pub(crate) content: String,
    /// The secret among the body's members.
    pub(crate) secret: Option<PlainPassword>,
}

/// Where a call stands.
pub(crate) enum Standing {
    /// It is to be made now, and settled afterwards.
    First(Claim),
    /// It was made; this is its answer.
    Again(String),
}

impl Idempotency {
    /// Claims the key. Waits a moment for one with the same key that is under way.
    pub(crate) async fn begin(&self, call: &KeyedCall) -> Result<Standing, Failure> {
        for _ in 0..LOOKS {
            let now = self.clock.now();
            let claim = Claim {
                owner: call.owner.clone(),
                key_hash: self.tokens.digest(&call.seal_key()),
                fingerprint: self.tokens.digest(&format!("{} {}", call.key, call.content)),
                at: now,
                claimed_until: now + CLAIM,
                expires_at: now + self.kept_for,
            };
            match self.store.claim(&claim).await? {
                Begun::Mine => return Ok(Standing::First(claim)),
                Begun::Answered(kept) => return self.open(call, &kept).await.map(Standing::Again),
                Begun::OtherCall => return Err(Failure::IdempotencyKeyReused),
                Begun::UnderWay => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(Failure::IdempotencyKeyInUse)
    }

    /// Keeps the answer. That it cannot be kept does not undo what was done.
    pub(crate) async fn keep(&self, call: &KeyedCall, claim: &Claim, answer: &str) {
        let kept = async {
            let sealed = self.tokens.seal(answer, &call.seal_key())?;
            let secret_hash = match &call.secret {
                Some(secret) => Some(self.passwords.hash(secret).await?),
                None => None,
            };
            self.store.keep(claim, &KeptAnswer { sealed, secret_hash }).await
        };
        if let Err(error) = kept.await {
            tracing::error!(event = "idempotent_answer_not_kept", %error);
        }
    }

    /// Gives the claim back: what failed may be tried again.
    pub(crate) async fn release(&self, claim: &Claim) {
        if let Err(error) = self.store.release(claim).await {
            tracing::warn!(event = "idempotency_key_not_released", %error);
        }
    }

    async fn open(&self, call: &KeyedCall, kept: &KeptAnswer) -> Result<String, Failure> {
        let is_same = match (&call.secret, &kept.secret_hash) {
            (Some(secret), Some(hash)) => self.passwords.verify(secret, Some(hash)).await? != Verdict::Wrong,
            (secret, hash) => secret.is_none() && hash.is_none(),
        };
        let answer = self.tokens.open(&kept.sealed, &call.seal_key()).filter(|_| is_same);
        answer.ok_or(Failure::IdempotencyKeyReused)
    }
}

impl KeyedCall {
    /// What the answer is sealed under: nobody else's key of the same text opens it.
    fn seal_key(&self) -> String {
        format!("idempotency key of {}: {}", self.owner, self.key)
    }
}
