//! The keys in use: one that signs, and every one whose tokens may still be valid. They live in the database, where the
//! first instance to start puts them; what another process changes there is known here within a second or two.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{DecodingKey, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};

use super::key_material::{encoding_key, generate};
use crate::{
    kernel::{Clock, Random},
    modules::auth::{
        adapters::store::{KeptKey, Store},
        application::{KeyCustodian, KeyRotation, KeyStanding, PortError},
        domain::{KeyState, SigningKey, signer},
    },
    platform::{
        sealing::Sealer,
        tokens::{SHARED_SECRET_KID, SigningAlgorithm},
    },
};

/// How old the known keys may be before the database is asked again, which another process may have added to.
const REFRESH_AFTER: Duration = Duration::from_secs(1);
/// How often a process says that it signs with a key.
const USE_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How long after a key's last token it is retired, for clocks that differ and what was not yet said.
const RETIRE_MARGIN: TimeDelta = TimeDelta::minutes(10);

/// What the keys are kept and used by.
pub(crate) struct KeyRules {
    /// What new keys are for.
    pub(crate) algorithm: SigningAlgorithm,
    /// The secret of HS256.
    pub(crate) secret: Option<String>,
    /// How long a key is published before it signs.
    pub(crate) publish_delay: TimeDelta,
    /// How long the longest-lived token works.
    pub(crate) longest_token: TimeDelta,
    /// The master key, if there is one.
    pub(crate) sealer: Arc<Sealer>,
}

/// What signs.
pub(super) struct Signer {
    pub(super) kid: String,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) key: EncodingKey,
}

/// What is known of the keys.
pub(super) struct KnownKeys {
    /// Those that are not retired.
    keys: Vec<SigningKey>,
    signers: HashMap<String, Arc<Signer>>,
    verifiers: HashMap<String, (SigningAlgorithm, DecodingKey)>,
    /// The public keys as a JWK Set.
    pub(super) jwks: String,
}

impl KnownKeys {
    pub(super) fn find(&self, kid: &str) -> Option<&(SigningAlgorithm, DecodingKey)> {
        self.verifiers.get(kid)
    }
}

/// The module's keys.
pub(crate) struct SigningKeys {
    rules: KeyRules,
    /// What signs where that is a shared secret.
    shared: Option<Arc<Signer>>,
    known: ArcSwap<KnownKeys>,
    refreshed: Mutex<Instant>,
    /// Whether the last look into the database failed.
    failing: AtomicBool,
    used: Mutex<Option<(String, DateTime<Utc>)>>,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl SigningKeys {
    /// Loads the keys; makes one when the algorithm has none yet; seals again what is not sealed under today's master key.
    pub(crate) async fn load(
        store: Store,
        rules: KeyRules,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
    ) -> Result<Self, PortError> {
        let algorithm = rules.algorithm;
        let mut kept = store.keys().await?;
        if algorithm != SigningAlgorithm::HS256 && !has_key_of(&kept, algorithm) {
            let now = clock.now();
            // Where other keys are in use, this one waits until everybody knows it.
            let is_first = kept.iter().all(|kept| kept.key.retired_at.is_some());
            let signs_from = if is_first { now } else { now + rules.publish_delay };
            if let Some(fresh) = fresh_key(&rules, now, signs_from, random)? {
                store.offer_key(&fresh).await?;
            }
            kept = store.keys().await?;
        }
        reseal(&store, &rules.sealer, &kept, random).await?;
        let shared = rules.secret.as_deref().filter(|_| algorithm == SigningAlgorithm::HS256).map(|secret| {
            let key = EncodingKey::from_secret(secret.as_bytes());
            Arc::new(Signer { kid: SHARED_SECRET_KID.to_owned(), algorithm, key })
        });
        let known = ArcSwap::from_pointee(compile(&rules, &kept)?);
        let refreshed = Mutex::new(clock.monotonic());
        let (failing, used) = (AtomicBool::new(false), Mutex::default());
        let keys = Self { rules, shared, known, refreshed, failing, used, store, clock };
        keys.signer()?;
        Ok(keys)
    }

    /// What signs now.
    pub(super) fn signer(&self) -> Result<Arc<Signer>, PortError> {
        if let Some(shared) = &self.shared {
            return Ok(shared.clone());
        }
        let known = self.known.load();
        let algorithm = self.rules.algorithm;
        signer(&known.keys, algorithm.as_str(), self.clock.now())
            .and_then(|key| known.signers.get(&key.kid).cloned())
            .ok_or_else(|| PortError::Unavailable(format!("there is no signing key for {algorithm}")))
    }

    /// The keys as known.
    pub(super) fn known(&self) -> Arc<KnownKeys> {
        self.known.load_full()
    }

    /// The keys, asked for again when they are old. While the database is away, those that are known.
    pub(super) async fn fresh(&self) -> Result<Arc<KnownKeys>, PortError> {
        if self.claim_refresh() {
            let refreshed = self.refresh().await;
            // Told once, and its end once.
            match (&refreshed, self.failing.swap(refreshed.is_err(), Ordering::Relaxed)) {
                (Err(error), false) => tracing::warn!(event = "signing_keys_not_refreshed", %error),
                (Ok(()), true) => tracing::info!(event = "signing_keys_refreshed"),
                (Err(_), true) | (Ok(()), false) => {}
            }
        }
        Ok(self.known())
    }

    async fn refresh(&self) -> Result<(), PortError> {
        let kept = self.store.keys().await?;
        let lives =
            |keys: &[SigningKey]| -> Vec<_> { keys.iter().map(|key| (key.kid.clone(), key.signs_from)).collect() };
        let living: Vec<_> = alive(&kept).map(|kept| kept.key.clone()).collect();
        if lives(&living) != lives(&self.known().keys) {
            self.known.store(Arc::new(compile(&self.rules, &kept)?));
        }
        Ok(())
    }

    /// Whether it is this call's turn.
    fn claim_refresh(&self) -> bool {
        let now = self.clock.monotonic();
        let mut refreshed = self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = now.saturating_duration_since(*refreshed) >= REFRESH_AFTER;
        if is_due {
            *refreshed = now;
        }
        is_due
    }

    /// The kid that signs, when it is time to say so again.
    fn due_use(&self, now: DateTime<Utc>) -> Option<String> {
        let kid = self.signer().ok()?.kid.clone();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_said = |(said, at): &(String, DateTime<Utc>)| *said == kid && now - *at < USE_EVERY && *at <= now;
        if used.as_ref().is_some_and(is_said) {
            return None;
        }
        *used = Some((kid.clone(), now));
        Some(kid)
    }
}

/// The custodian, with the randomness that it seals new keys with.
pub(crate) struct KeyKeeper {
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) random: Arc<dyn Random>,
}

#[async_trait]
impl KeyCustodian for KeyKeeper {
    async fn list(&self) -> Result<Vec<KeyStanding>, PortError> {
        let SigningKeys { rules, store, clock, shared, .. } = &*self.keys;
        let (kept, now) = (store.keys().await?, clock.now());
        let keys: Vec<_> = kept.into_iter().map(|kept| kept.key).collect();
        let signs =
            signer(&keys, rules.algorithm.as_str(), now).filter(|_| shared.is_none()).map(|key| key.kid.clone());
        let standing = |key: SigningKey| {
            let state = key.state(signs.as_deref(), now);
            let is_waiting = state == KeyState::Verifying;
            let retires_at = key.retires_at(rules.longest_token + RETIRE_MARGIN).filter(|_| is_waiting);
            KeyStanding { key, state, retires_at }
        };
        Ok(keys.into_iter().map(standing).collect())
    }

    async fn rotate(&self) -> Result<KeyRotation, PortError> {
        let SigningKeys { rules, store, clock, .. } = &*self.keys;
        let now = clock.now();
        let Some(fresh) = fresh_key(rules, now, now + rules.publish_delay, &*self.random)? else {
            return Ok(KeyRotation::SharedSecret);
        };
        let newest = |kept: Vec<KeptKey>| {
            kept.into_iter().find(|kept| kept.is_newest && kept.key.algorithm == rules.algorithm.as_str())
        };
        let before = newest(store.keys().await?).map(|kept| kept.key);
        if let Some(waiting) = before.clone().filter(|key| key.signs_from > now) {
            return Ok(KeyRotation::Waiting(waiting));
        }
        if store.follow_key(before.as_ref().map(|key| key.kid.as_str()), &fresh).await? {
            return Ok(KeyRotation::Published(fresh.key));
        }
        // Another rotation was faster.
        let winner = newest(store.keys().await?);
        winner
            .map(|kept| KeyRotation::Waiting(kept.key))
            .ok_or_else(|| PortError::Unavailable("the keys are changing at this moment; please try again".to_owned()))
    }

    async fn retire(&self, kid: &str) -> Result<bool, PortError> {
        let SigningKeys { rules, store, clock, shared, .. } = &*self.keys;
        let now = clock.now();
        let kept = store.keys().await?;
        let others: Vec<_> = kept.iter().map(|kept| &kept.key).filter(|key| key.kid != kid).cloned().collect();
        let has_signer = shared.is_some()
            || signer(&others, rules.algorithm.as_str(), now)
                .is_some_and(|key| key.algorithm == rules.algorithm.as_str());
        let successor = if has_signer { None } else { fresh_key(rules, now, now, &*self.random)? };
        store.retire_key(kid, now, successor.as_ref()).await
    }

    async fn tend(&self) -> Result<Vec<String>, PortError> {
        let SigningKeys { rules, store, clock, .. } = &*self.keys;
        self.keys.fresh().await?;
        let now = clock.now();
        let Some(kid) = self.keys.due_use(now) else { return Ok(Vec::new()) };
        store.use_key(&kid, now).await?;
        store.retire_unused_keys(&kid, now, now - rules.longest_token - RETIRE_MARGIN).await
    }
}

fn has_key_of(kept: &[KeptKey], algorithm: SigningAlgorithm) -> bool {
    alive(kept).any(|kept| kept.key.algorithm == algorithm.as_str())
}

fn alive(kept: &[KeptKey]) -> impl Iterator<Item = &KeptKey> {
    kept.iter().filter(|kept| kept.key.retired_at.is_none())
}

/// A new key of the configured algorithm, sealed; `None` when that has none.
fn fresh_key(
    rules: &KeyRules,
    now: DateTime<Utc>,
    signs_from: DateTime<Utc>,
    random: &dyn Random,
) -> Result<Option<KeptKey>, PortError> {
    let Some(pair) = generate(rules.algorithm).map_err(PortError::Internal)? else { return Ok(None) };
    let sealed = rules.sealer.seal(&context(&pair.kid), &pair.private_key, random);
    let algorithm = rules.algorithm.as_str().to_owned();
    let (created_at, used_at) = (now, Some(signs_from));
    Ok(Some(KeptKey {
        key: SigningKey { kid: pair.kid, algorithm, created_at, signs_from, used_at, retired_at: None },
        is_newest: true,
        private_key: sealed.into(),
        public_jwk: pair.public_jwk,
    }))
}

/// What a private key is sealed for.
fn context(kid: &str) -> String {
    format!("signing-key:{kid}")
}

fn opened(sealer: &Sealer, kept: &KeptKey) -> Result<zeroize::Zeroizing<Vec<u8>>, PortError> {
    let kid = &kept.key.kid;
    let opened = sealer.open(&context(kid), &kept.private_key);
    opened.map_err(|fault| PortError::Internal(format!("the private key {kid} cannot be opened: {fault}")))
}

/// Brings every private key into the form in which it would be kept today.
async fn reseal(store: &Store, sealer: &Sealer, kept: &[KeptKey], random: &dyn Random) -> Result<(), PortError> {
    for kept in alive(kept) {
        let secret = opened(sealer, kept)?;
        if sealer.is_current(&kept.private_key) {
            continue;
        }
        let kid = &kept.key.kid;
        store.reseal_key(kid, &kept.private_key, &sealer.seal(&context(kid), &secret, random)).await?;
        tracing::info!(event = "signing_key_sealed", kid);
    }
    Ok(())
}

fn compile(rules: &KeyRules, kept: &[KeptKey]) -> Result<KnownKeys, PortError> {
    let wrong = |error: String| PortError::Internal(format!("a kept key cannot be read: {error}"));
    let (mut keys, mut signers, mut verifiers) = (Vec::new(), HashMap::new(), HashMap::new());
    let mut set = Vec::new();
    for kept in alive(kept) {
        let kid = kept.key.kid.clone();
        let jwk: Jwk = serde_json::from_str(&kept.public_jwk).map_err(|error| wrong(error.to_string()))?;
        let value: Value = serde_json::from_str(&kept.public_jwk).map_err(|error| wrong(error.to_string()))?;
        let algorithm: SigningAlgorithm = kept.key.algorithm.parse().map_err(wrong)?;
        let verifier = DecodingKey::from_jwk(&jwk).map_err(|error| wrong(error.to_string()))?;
        let key = encoding_key(algorithm, &opened(&rules.sealer, kept)?).map_err(wrong)?;
        signers.insert(kid.clone(), Arc::new(Signer { kid: kid.clone(), algorithm, key }));
        verifiers.insert(kid, (algorithm, verifier));
        keys.push(kept.key.clone());
        set.push(value);
    }
    if let Some(secret) = rules.secret.as_deref().filter(|_| rules.algorithm == SigningAlgorithm::HS256) {
        let key = (SigningAlgorithm::HS256, DecodingKey::from_secret(secret.as_bytes()));
        verifiers.insert(SHARED_SECRET_KID.to_owned(), key);
    }
    Ok(KnownKeys { keys, signers, verifiers, jwks: json!({ "keys": set }).to_string() })
}

#[cfg(test)]
mod tests;
