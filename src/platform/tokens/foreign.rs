//! Verifies access tokens of other issuers: JWTs (RFC 7519) signed by keys of their JWK Sets. The algorithm belongs to the
//! key, `iss`, `aud` and `exp` are required and exact, and keys that are older than allowed verify nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use moka::sync::Cache;
use serde_json::Value;

use super::{
    KeyRing, SigningAlgorithm, TokenFault,
    verifier::{MAX_TOKEN_BYTES, REMEMBERED_TOKENS, decode_object},
};
use crate::kernel::{Clock, Principal, SessionId, Subject};

/// How much another issuer's clock may be ahead of ours.
const CLOCKS_DIFFER: i64 = 30;
/// The longest `sub` (OpenID Connect Core §2).
const LONGEST_SUBJECT: usize = 255;

/// What an issuer's tokens must say, and how they are read.
#[derive(Debug, Clone)]
pub struct ForeignRules {
    /// What we call the issuer: plain characters.
    pub name: String,
    /// The exact `iss`.
    pub issuer: String,
    /// What must be among `aud`.
    pub audience: String,
    /// Keys of other algorithms are not used.
    pub algorithms: Vec<SigningAlgorithm>,
    /// The claim that holds roles: its name, or a path with dots.
    pub roles_claim: String,
    /// The claim that holds scopes: its name, or a path with dots.
    pub scopes_claim: String,
    /// How old the keys may be.
    pub keys_max_age: Duration,
}

/// Why a token of another issuer is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignFault {
    /// The token is at fault, or the keys are not known.
    Token(TokenFault),
    /// Its key is not among those that are known; newer ones may hold it.
    UnknownKey,
}

impl From<TokenFault> for ForeignFault {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

/// Verifies one issuer's tokens without IO; its keys are brought from outside.
pub struct ForeignVerifier {
    rules: ForeignRules,
    clock: Arc<dyn Clock>,
    keys: ArcSwap<KeyRing>,
    started: Instant,
    /// When the keys were last known to be the issuer's, in milliseconds since `started`, and 1; 0: never.
    known_at: AtomicU64,
    /// Tokens whose signature and claims were found good; expiry and the keys' age are looked at every time.
    verified: Cache<Box<str>, Arc<Principal>>,
}

impl std::fmt::Debug for ForeignVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForeignVerifier").field("rules", &self.rules).field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl ForeignVerifier {
    /// A verifier that knows no key yet.
    pub fn new(rules: ForeignRules, clock: Arc<dyn Clock>) -> Self {
        Self {
            rules,
            started: clock.monotonic(),
            clock,
            keys: ArcSwap::default(),
            known_at: AtomicU64::new(0),
            verified: Cache::new(REMEMBERED_TOKENS),
        }
    }

    /// The rules.
    pub fn rules(&self) -> &ForeignRules {
        &self.rules
    }

    /// Replaces the keys by what the issuer publishes now.
    pub fn set_keys(&self, keys: KeyRing, as_before: bool) {
        if !as_before {
            self.keys.store(Arc::new(keys));
            self.verified.invalidate_all();
        }
        self.known_at.store(self.elapsed() + 1, Ordering::Release);
    }

    /// Whether this very token was verified before; costs no cryptography.
    pub fn remembers(&self, token: &str) -> bool {
        token.len() <= MAX_TOKEN_BYTES && self.verified.contains_key(token)
    }

    /// The principal of a valid token. Its subject is `name|sub`, as one that speaks for itself: nobody with an account here.
    pub fn verify(&self, token: &str) -> Result<Arc<Principal>, ForeignFault> {
        const EXPIRED: TokenFault = TokenFault::Invalid("the token has expired");
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenFault::Invalid("the token is too long").into());
        }
        if !self.is_fresh() {
            return Err(TokenFault::KeysUnavailable.into());
        }
        let now = self.clock.now();
        if let Some(principal) = self.verified.get(token) {
            return if principal.expires_at > now { Ok(principal) } else { Err(EXPIRED.into()) };
        }
        let principal = Arc::new(self.check(token, now)?);
        if principal.expires_at <= now {
            return Err(EXPIRED.into());
        }
        self.verified.insert(token.into(), principal.clone());
        Ok(principal)
    }

    fn elapsed(&self) -> u64 {
        let elapsed = self.clock.monotonic().saturating_duration_since(self.started);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    fn is_fresh(&self) -> bool {
        let known_at = self.known_at.load(Ordering::Acquire);
        known_at != 0
            && u128::from(self.elapsed() + 1 - known_at.min(self.elapsed() + 1)) <= self.rules.keys_max_age.as_millis()
    }

    fn check(&self, token: &str, now: DateTime<Utc>) -> Result<Principal, ForeignFault> {
        const MALFORMED: TokenFault = TokenFault::Invalid("the token is malformed");
        let (message, signature) = token.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, claims) = message.split_once('.').ok_or(MALFORMED)?;
        let header = decode_object(header).ok_or(MALFORMED)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        // A logout or a refresh token is none, whatever else it says.
        let is_access = |typ: &str| {
            let typ = typ.to_ascii_lowercase();
            matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
        };
        if header.get("typ").is_some() && !text("typ").is_some_and(is_access) {
            return Err(TokenFault::Invalid("the token is not an access token").into());
        }
        if header.get("crit").is_some() {
            return Err(TokenFault::Invalid("the token has critical extensions that are not known").into());
        }
        let keys = self.keys.load();
        let kid = text("kid").ok_or(TokenFault::Invalid("the token does not name its key"))?;
        let key = keys.find(kid).ok_or(ForeignFault::UnknownKey)?;
        if text("alg") != Some(key.algorithm.as_str()) || !self.rules.algorithms.contains(&key.algorithm) {
            return Err(TokenFault::Invalid("the token's algorithm is not that of its key").into());
        }
        let genuine = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.key, key.algorithm.jwt());
        if !genuine.unwrap_or(false) {
            return Err(TokenFault::Invalid("the token's signature is wrong").into());
        }
        let claims = decode_object(claims).ok_or(MALFORMED)?;
        Ok(self.principal(&claims, now)?)
    }

    fn principal(&self, claims: &Value, now: DateTime<Utc>) -> Result<Principal, TokenFault> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(&self.rules.issuer) {
            return Err(TokenFault::Invalid("the token is from another issuer"));
        }
        let is_ours = |audience: &Value| audience.as_str() == Some(&self.rules.audience);
        let audience = claims.get("aud");
        if !audience.is_some_and(|aud| is_ours(aud) || aud.as_array().is_some_and(|all| all.iter().any(is_ours))) {
            return Err(TokenFault::Invalid("the token is for another audience"));
        }
        let latest = now.timestamp().saturating_add(CLOCKS_DIFFER);
        let is_early = |name: &str| claims.get(name).is_some_and(|time| seconds(time).is_none_or(|time| time > latest));
        if is_early("nbf") || is_early("iat") {
            return Err(TokenFault::Invalid("the token is not valid yet"));
        }
        let expires_at = claims.get("exp").and_then(seconds).and_then(|exp| DateTime::from_timestamp(exp, 0));
        let subject =
            text("sub").filter(|sub| is_subject(sub)).ok_or(TokenFault::Invalid("the token has no subject"))?;
        let client = text("client_id").or_else(|| text("azp")).unwrap_or_default();
        let is_verified = claims.get("email_verified").is_none_or(|verified| verified == &Value::Bool(true));
        Ok(Principal {
            subject: Subject::Client(format!("{}|{subject}", self.rules.name)),
            session_id: SessionId(uuid::Uuid::nil()),
            client_id: format!("{}|{client}", self.rules.name),
            email: text("email").filter(|_| is_verified).map(str::to_owned),
            roles: words(claims, &self.rules.roles_claim),
            scopes: words(claims, &self.rules.scopes_claim),
            expires_at: expires_at.ok_or(TokenFault::Invalid("the token does not say when it expires"))?,
        })
    }
}

/// The issuer that a token says it is from; nothing of it is verified.
pub fn claimed_issuer(token: &str) -> Option<String> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let claims = decode_object(token.split('.').nth(1)?)?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

/// A NumericDate (RFC 7519 §2), which may have a fraction.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let seconds = value.as_f64().filter(|seconds| (0.0..1e12).contains(seconds))?;
        format!("{seconds:.0}").parse().ok()
    })
}

/// What can stand in a header and be told from what surrounds it.
fn is_subject(text: &str) -> bool {
    (1..=LONGEST_SUBJECT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// The words of a claim: a list of strings, or one string with spaces. What could not stand in a header is left out.
fn words(claims: &Value, name: &str) -> Vec<String> {
    let by_path = || name.split('.').try_fold(claims, |value, member| value.get(member));
    let words: Vec<&str> = match claims.get(name).or_else(by_path) {
        Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_plain = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    words.into_iter().filter(is_plain).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
