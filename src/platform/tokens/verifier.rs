//! Verifies access tokens (RFC 9068): the algorithm belongs to the key, `typ`, `iss`, `aud` and `exp` are required and
//! exact, and nothing that a token says leads to a fetch.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KeyRing, RevocationSet};
use crate::{
    kernel::{Clock, Principal, SessionId, Subject, UserId},
    platform::json,
};

/// No honest token of ours comes near this.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How many verified tokens are remembered.
pub(super) const REMEMBERED_TOKENS: u64 = 10_000;

/// The claims of an access token (RFC 9068 §2.2), and `email`, which upstreams are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The user; the client itself when it speaks for nobody else.
    pub sub: String,
    /// Who the token is for.
    pub aud: String,
    /// Expiry, in seconds since 1970.
    pub exp: i64,
    /// Issue, in seconds since 1970.
    pub iat: i64,
    /// The token's own id.
    pub jti: String,
    /// The login session.
    pub sid: String,
    /// The client.
    pub client_id: String,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// Role names.
    pub roles: Vec<String>,
    /// The user's address, when the token tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `access`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is not a valid access token of ours, or no longer.
    #[error("{0}")]
    Invalid(&'static str),
    /// No verification key has been learnt yet.
    #[error("the verification keys are not known yet")]
    KeysUnavailable,
    /// An API key was sent, and who knows it cannot be asked.
    #[error("the API key cannot be checked at the moment")]
    ApiKeyUnchecked,
    /// What is known of revocations is older than allowed.
    #[error("what is known of revocations is too old")]
    RevocationsStale,
}

/// What an acceptable token must say.
#[derive(Debug, Clone)]
pub struct TokenRules {
    /// The exact `iss`.
    pub issuer: String,
    /// The exact `aud`.
    pub audience: String,
    /// How old the knowledge of revocations may be.
    pub revocation_max_staleness: Duration,
}

/// Verifies access tokens without IO; keys and revocations are brought to it from outside.
pub struct TokenVerifier {
    rules: TokenRules,
    clock: Arc<dyn Clock>,
    keys: ArcSwap<KeyRing>,
    revocations: RevocationSet,
    /// Tokens whose signature and claims were found good; expiry and revocation are looked at every time.
    verified: Cache<Box<str>, Arc<Principal>>,
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenVerifier").field("rules", &self.rules).field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl TokenVerifier {
    /// A verifier that knows no key yet.
    pub fn new(rules: TokenRules, clock: Arc<dyn Clock>) -> Self {
        Self {
            rules,
            revocations: RevocationSet::new(clock.clone()),
            clock,
            keys: ArcSwap::default(),
            verified: Cache::new(REMEMBERED_TOKENS),
        }
    }

    /// Replaces the keys; tokens verified by keys that are gone are forgotten.
    pub fn set_keys(&self, keys: KeyRing) {
        self.keys.store(Arc::new(keys));
        self.verified.invalidate_all();
    }

    /// Whether there is a key to verify with.
    pub fn has_keys(&self) -> bool {
        !self.keys.load().is_empty()
    }

    /// The revocation set, for its feed.
    pub fn revocations(&self) -> &RevocationSet {
        &self.revocations
    }

    /// Whether tokens can be judged now.
    pub fn is_ready(&self) -> bool {
        self.has_keys() && self.revocations.is_fresh(self.rules.revocation_max_staleness)
    }

    /// Whether this very token was verified before; costs no cryptography.
    pub fn remembers(&self, token: &str) -> bool {
        token.len() <= MAX_TOKEN_BYTES && self.verified.contains_key(token)
    }

    /// The principal of a valid access token.
    pub fn verify(&self, token: &str) -> Result<Arc<Principal>, TokenFault> {
        // Before it is looked for: to look is to read all of it.
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenFault::Invalid("the token is too long"));
        }
        let now = self.clock.now();
        let principal = if let Some(principal) = self.verified.get(token) {
            principal
        } else {
            let principal = Arc::new(self.check(token)?);
            // Only what is worth remembering takes a place.
            if principal.expires_at > now {
                self.verified.insert(token.into(), principal.clone());
            }
            principal
        };
        if principal.expires_at <= now {
            return Err(TokenFault::Invalid("the token has expired"));
        }
        if !self.revocations.is_fresh(self.rules.revocation_max_staleness) {
            return Err(TokenFault::RevocationsStale);
        }
        if self.revocations.contains(principal.session_id) {
            return Err(TokenFault::Invalid("the token was revoked"));
        }
        Ok(principal)
    }

    /// Signature and claims, without time and revocation.
    fn check(&self, token: &str) -> Result<Principal, TokenFault> {
        const MALFORMED: TokenFault = TokenFault::Invalid("the token is malformed");
        let (message, signature) = token.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, claims) = message.split_once('.').ok_or(MALFORMED)?;
        let header = decode_object(header).ok_or(MALFORMED)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        if !text("typ").is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt")) {
            return Err(TokenFault::Invalid("the token is not an access token"));
        }
        if header.get("crit").is_some() {
            return Err(TokenFault::Invalid("the token has critical extensions that are not known"));
        }
        let keys = self.keys.load();
        if keys.is_empty() {
            return Err(TokenFault::KeysUnavailable);
        }
        let key =
            text("kid").and_then(|kid| keys.find(kid)).ok_or(TokenFault::Invalid("the token's key is not known"))?;
        if text("alg") != Some(key.algorithm.as_str()) {
            return Err(TokenFault::Invalid("the token's algorithm is not that of its key"));
        }
        let genuine = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.key, key.algorithm.jwt());
        if !genuine.unwrap_or(false) {
            return Err(TokenFault::Invalid("the token's signature is wrong"));
        }
        let claims = decode_object(claims).ok_or(MALFORMED)?;
        let claims: AccessClaims = serde_json::from_value(claims)
            .map_err(|_| TokenFault::Invalid("the token's claims are not those of an access token"))?;
        self.principal(claims)
    }

    fn principal(&self, claims: AccessClaims) -> Result<Principal, TokenFault> {
        if claims.kind != "access" {
            return Err(TokenFault::Invalid("the token is not an access token"));
        }
        if claims.iss != self.rules.issuer {
            return Err(TokenFault::Invalid("the token is from another issuer"));
        }
        if claims.aud != self.rules.audience {
            return Err(TokenFault::Invalid("the token is for another audience"));
        }
        let wrong = |_| TokenFault::Invalid("the token's claims are not those of an access token");
        Ok(Principal {
            subject: if claims.sub == claims.client_id {
                Subject::Client(claims.sub)
            } else {
                Subject::User(claims.sub.parse::<UserId>().map_err(wrong)?)
            },
            session_id: claims.sid.parse::<SessionId>().map_err(wrong)?,
            client_id: claims.client_id,
            email: claims.email,
            roles: claims.roles,
            scopes: claims.scope.split_ascii_whitespace().map(str::to_owned).collect(),
            expires_at: DateTime::<Utc>::from_timestamp(claims.exp, 0)
                .ok_or(TokenFault::Invalid("the token's expiry is out of range"))?,
        })
    }
}

/// One part of a token: base64url without padding, a JSON object, no member twice (RFC 7519 §4).
pub(super) fn decode_object(part: &str) -> Option<Value> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    json::parse(&bytes).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests;
