//! Verification keys, read from a JWK Set (RFC 7517) and compiled once.

use std::{collections::HashMap, fmt, str::FromStr};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use serde::{Deserialize, Serialize};

/// The algorithms that a token may be signed with (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// Ed25519.
    EdDSA,
    /// HMAC with SHA-256: one shared secret.
    HS256,
}

impl SigningAlgorithm {
    /// The `alg` of a token header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::RS256 => "RS256",
            Self::EdDSA => "EdDSA",
            Self::HS256 => "HS256",
        }
    }

    /// The same in the JWT library's terms.
    pub const fn jwt(self) -> Algorithm {
        match self {
            Self::ES256 => Algorithm::ES256,
            Self::RS256 => Algorithm::RS256,
            Self::EdDSA => Algorithm::EdDSA,
            Self::HS256 => Algorithm::HS256,
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SigningAlgorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::ES256, Self::RS256, Self::EdDSA, Self::HS256]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or_else(|| format!("expected ES256, RS256, EdDSA or HS256, found {text:?}"))
    }
}

/// The `kid` of the shared secret of HS256, which no JWK Set holds.
pub const SHARED_SECRET_KID: &str = "hs256";

/// One key: what it verifies is decided by the key, never by a token.
pub(super) struct VerificationKey {
    pub(super) algorithm: SigningAlgorithm,
    pub(super) key: DecodingKey,
}

/// The keys by `kid`.
#[derive(Default)]
pub struct KeyRing {
    keys: HashMap<String, VerificationKey>,
}

impl KeyRing {
    /// Compiles the signature keys of a JWK Set; keys of other uses, kinds and algorithms are left out (RFC 7517 §5).
    pub fn from_jwks(text: &str) -> Result<Self, String> {
        let set: JwkSet = serde_json::from_str(text).map_err(|error| format!("not a JWK Set: {error}"))?;
        let keys = set.keys.iter().filter_map(|jwk| {
            let kid = jwk.common.key_id.clone()?;
            // A key says what it is for, or is for anything.
            let for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|one| *one == PublicKeyUse::Signature);
            let algorithm = algorithm_of(jwk).filter(|_| for_signatures)?;
            let said = jwk.common.key_algorithm.map(|said| said.to_string());
            if said.is_some_and(|said| said != algorithm.as_str()) {
                return None;
            }
            let key = VerificationKey { algorithm, key: DecodingKey::from_jwk(jwk).ok()? };
            Some((kid, key))
        });
        Ok(Self { keys: keys.collect() })
    }

    /// Adds the shared secret of HS256.
    #[must_use]
    pub fn with_shared_secret(mut self, secret: &[u8]) -> Self {
        let key = VerificationKey { algorithm: SigningAlgorithm::HS256, key: DecodingKey::from_secret(secret) };
        self.keys.insert(SHARED_SECRET_KID.to_owned(), key);
        self
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn find(&self, kid: &str) -> Option<&VerificationKey> {
        self.keys.get(kid)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

/// What a public key verifies, from its kind and curve. A symmetric key in a published set is never used.
fn algorithm_of(jwk: &Jwk) -> Option<SigningAlgorithm> {
    match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Some(SigningAlgorithm::ES256),
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Some(SigningAlgorithm::EdDSA),
        AlgorithmParameters::RSA(_) => Some(SigningAlgorithm::RS256),
        _ => None,
    }
}
