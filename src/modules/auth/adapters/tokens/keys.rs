//! The keys in use: one that signs, and every one whose tokens may still be valid. They live in the database, where the
//! first instance to start puts them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use jsonwebtoken::{DecodingKey, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};

use super::key_material::{encoding_key, generate};
use crate::{
    kernel::Clock,
    modules::auth::{adapters::store::Store, application::PortError},
    platform::tokens::{SHARED_SECRET_KID, SigningAlgorithm},
};

/// How old the known public keys may be before the database is asked again, which another instance may have added to.
const REFRESH_AFTER: Duration = Duration::from_secs(10);

/// What verifies.
pub(super) struct PublicKeys {
    keys: HashMap<String, (SigningAlgorithm, DecodingKey)>,
    /// As a JWK Set.
    pub(super) jwks: String,
}

impl PublicKeys {
    pub(super) fn find(&self, kid: &str) -> Option<&(SigningAlgorithm, DecodingKey)> {
        self.keys.get(kid)
    }
}

/// The module's keys.
pub(crate) struct SigningKeys {
    pub(super) kid: String,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) signing: EncodingKey,
    secret: Option<Vec<u8>>,
    public: ArcSwap<PublicKeys>,
    refreshed: Mutex<Instant>,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl SigningKeys {
    /// Loads the keys; makes one when the algorithm has none yet. `secret` is that of HS256.
    pub(crate) async fn load(
        store: Store,
        algorithm: SigningAlgorithm,
        secret: Option<&str>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PortError> {
        let is_wanted = |kept: &&crate::modules::auth::adapters::store::KeptKey| {
            kept.is_active && kept.algorithm == algorithm.as_str()
        };
        let mut kept = store.keys().await?;
        if algorithm != SigningAlgorithm::HS256 && !kept.iter().any(|key| is_wanted(&key)) {
            if let Some(fresh) = generate(algorithm, clock.now()).map_err(PortError::Internal)? {
                store.offer_key(&fresh).await?;
            }
            kept = store.keys().await?;
        }
        let secret = secret.filter(|_| algorithm == SigningAlgorithm::HS256).map(|text| text.as_bytes().to_vec());
        let (kid, signing) = match (&secret, kept.iter().find(is_wanted)) {
            (Some(secret), _) => (SHARED_SECRET_KID.to_owned(), EncodingKey::from_secret(secret)),
            (None, Some(key)) => {
                (key.kid.clone(), encoding_key(algorithm, &key.private_key).map_err(PortError::Internal)?)
            }
            (None, None) => return Err(PortError::Internal(format!("there is no signing key for {algorithm}"))),
        };
        let jwks: Vec<&str> = kept.iter().map(|key| key.public_jwk.as_str()).collect();
        let public = compile(&jwks, secret.as_deref())?;
        let refreshed = Mutex::new(clock.monotonic());
        Ok(Self { kid, algorithm, signing, secret, public: ArcSwap::from_pointee(public), refreshed, store, clock })
    }

    /// The public keys as known.
    pub(super) fn public(&self) -> Arc<PublicKeys> {
        self.public.load_full()
    }

    /// The public keys, asked for again when they are old. While the database is away, those that are known.
    pub(super) async fn fresh(&self) -> Result<Arc<PublicKeys>, PortError> {
        if self.claim_refresh() {
            match self.store.keys().await {
                Ok(kept) => {
                    let jwks: Vec<&str> = kept.iter().map(|key| key.public_jwk.as_str()).collect();
                    self.public.store(Arc::new(compile(&jwks, self.secret.as_deref())?));
                }
                Err(error) => tracing::warn!(event = "signing_keys_not_refreshed", %error),
            }
        }
        Ok(self.public())
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
}

fn compile(jwks: &[&str], secret: Option<&[u8]>) -> Result<PublicKeys, PortError> {
    let wrong = |error: String| PortError::Internal(format!("a kept public key cannot be read: {error}"));
    let mut keys = HashMap::new();
    let mut set = Vec::with_capacity(jwks.len());
    for text in jwks {
        let jwk: Jwk = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let algorithm = value["alg"].as_str().unwrap_or_default().parse().map_err(wrong)?;
        let key = DecodingKey::from_jwk(&jwk).map_err(|error| wrong(error.to_string()))?;
        keys.insert(jwk.common.key_id.clone().unwrap_or_default(), (algorithm, key));
        set.push(value);
    }
    if let Some(secret) = secret {
        let key = (SigningAlgorithm::HS256, DecodingKey::from_secret(secret));
        keys.insert(SHARED_SECRET_KID.to_owned(), key);
    }
    Ok(PublicKeys { keys, jwks: json!({ "keys": set }).to_string() })
}
