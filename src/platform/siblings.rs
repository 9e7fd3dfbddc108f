//! How the processes of one installation know each other: by a short-lived assertion (a JWT, RFC 7519, HS256) under a secret
//! that they share. What is asserted is one request, by method and target, for one role, and the address of the client it
//! is made for; so an assertion that somebody sees is of no use for anything else, and of none at all after 30 seconds. It
//! is made anew for each request: a keyed hash over 200 bytes costs less than what reading it from a shared place would
//! save, and nothing weaker than the request is bound.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};

use crate::{
    kernel::{Clock, Role},
    platform::json,
};

/// The header that carries an assertion. Clients cannot send it: the gateway takes it away.
pub const ASSERTION: &str = "x-vestibule-assertion";
/// How long an assertion is good for.
const LIFETIME: Duration = Duration::from_secs(30);
/// How much the clocks of two processes may differ.
const LEEWAY: Duration = Duration::from_secs(5);
/// `{"alg":"HS256","typ":"vst+jwt"}`. No other header is read, so that nothing in it can be chosen.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6InZzdCtqd3QifQ";
/// No assertion of ours is longer.
const LONGEST: usize = 1024;
const ISSUER: &str = "vestibule";

/// What an assertion says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    /// The role that is asked.
    aud: String,
    iat: i64,
    exp: i64,
    /// SHA-256 of method and target.
    req: String,
    /// For whom the request is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
}

/// Makes assertions.
#[derive(Clone)]
pub struct SiblingSigner {
    key: EncodingKey,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for SiblingSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SiblingSigner")
    }
}

impl SiblingSigner {
    /// A signer with the installation's secret.
    pub fn new(secret: &str, clock: Arc<dyn Clock>) -> Self {
        Self { key: EncodingKey::from_secret(secret.as_bytes()), clock }
    }

    /// The assertion for a request: its method, its path and query as the role will see them, and its client.
    pub fn sign(&self, role: &str, method: &str, target: &str, client: Option<IpAddr>) -> Option<String> {
        let now = self.clock.now().timestamp();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: role.to_owned(),
            iat: now,
            exp: now + seconds(LIFETIME),
            req: fingerprint(method, target),
            client,
        };
        let claims = serde_json::to_vec(&claims).ok()?;
        let mut text = String::with_capacity(HEADER.len() + claims.len() * 4 / 3 + 50);
        text.push_str(HEADER);
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut text);
        let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &self.key, Algorithm::HS256).ok()?;
        text.push('.');
        text.push_str(&signature);
        Some(text)
    }
}

/// What a valid assertion says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asserted {
    /// The client that the request is made for; `None`: a process asks for itself.
    pub client: Option<IpAddr>,
}

/// Judges assertions.
pub struct SiblingVerifier {
    keys: Vec<DecodingKey>,
    roles: Vec<Role>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for SiblingVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiblingVerifier").field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl SiblingVerifier {
    /// A verifier for the roles of this process; every one of the secrets is good.
    pub fn new<'a>(secrets: impl Iterator<Item = &'a str>, roles: Vec<Role>, clock: Arc<dyn Clock>) -> Self {
        Self { keys: secrets.map(|secret| DecodingKey::from_secret(secret.as_bytes())).collect(), roles, clock }
    }

    /// What an assertion says, if it is one for this very request and now.
    pub fn verify(&self, assertion: &str, method: &str, target: &str) -> Option<Asserted> {
        if assertion.len() > LONGEST {
            return None;
        }
        let (message, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if header != HEADER {
            return None;
        }
        let verify =
            |key| jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, Algorithm::HS256).unwrap_or(false);
        if !self.keys.iter().any(verify) {
            return None;
        }
        let claims = json::parse(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let claims: Claims = serde_json::from_value(claims).ok()?;
        let now = self.clock.now().timestamp();
        let is_now = claims.iat <= now + seconds(LEEWAY)
            && now < claims.exp
            && claims.exp.saturating_sub(claims.iat) <= seconds(LIFETIME);
        let is_ours = claims.iss == ISSUER && self.roles.iter().any(|role| role.as_str() == claims.aud);
        (is_now && is_ours && claims.req == fingerprint(method, target)).then_some(Asserted { client: claims.client })
    }
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

fn fingerprint(method: &str, target: &str) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(method.as_bytes());
    hash.update(b" ");
    hash.update(target.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(hash.finish())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::kernel::ManualClock;

    const SECRET: &str = "a secret of tests, long enough for HS256";

    fn pair() -> (SiblingSigner, SiblingVerifier, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        let verifier = SiblingVerifier::new(["other secret", SECRET].into_iter(), vec![Role::Auth], clock.clone());
        (SiblingSigner::new(SECRET, clock.clone()), verifier, clock)
    }

    #[test]
    fn an_assertion_is_good_for_its_request_and_nothing_else() {
        let (signer, verifier, clock) = pair();
        let client = Some("192.0.2.1".parse().unwrap());
        let good = signer.sign("auth", "GET", "/users?limit=1", client).unwrap();
        assert!(good.starts_with(&BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"vst+jwt"}"#)));
        assert_eq!(verifier.verify(&good, "GET", "/users?limit=1"), Some(Asserted { client }));
        assert_eq!(verifier.verify(&good, "POST", "/users?limit=1"), None);
        assert_eq!(verifier.verify(&good, "GET", "/users?limit=2"), None);
        let elsewhere = signer.sign("aggregation", "GET", "/users?limit=1", client).unwrap();
        assert_eq!(verifier.verify(&elsewhere, "GET", "/users?limit=1"), None);
        clock.advance(Duration::from_secs(29));
        assert!(verifier.verify(&good, "GET", "/users?limit=1").is_some());
        clock.advance(Duration::from_secs(1));
        assert_eq!(verifier.verify(&good, "GET", "/users?limit=1"), None);
    }

    #[test]
    fn a_forged_one_is_none() {
        let (signer, verifier, clock) = pair();
        let stranger = SiblingSigner::new("another secret that nobody knows of", clock.clone());
        let forged = stranger.sign("auth", "GET", "/", None).unwrap();
        let good = signer.sign("auth", "GET", "/", None).unwrap();
        let (message, _) = good.rsplit_once('.').unwrap();
        let unsigned =
            format!("{}.{}.", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), message.split_once('.').unwrap().1);
        for wrong in [forged.as_str(), message, &unsigned, "", "..", "a.b.c", &"x".repeat(5000)] {
            assert_eq!(verifier.verify(wrong, "GET", "/"), None, "{wrong}");
        }
        assert!(verifier.verify(&good, "GET", "/").is_some());
        // One that comes from the future by more than clocks differ.
        let early = SiblingVerifier::new(std::iter::once(SECRET), vec![Role::Auth], {
            Arc::new(ManualClock::at(clock.now() - chrono::TimeDelta::seconds(6)))
        });
        assert_eq!(early.verify(&good, "GET", "/"), None);
    }
}
