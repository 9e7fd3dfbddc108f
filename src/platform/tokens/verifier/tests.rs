//! What the verifier accepts, and all the ways in which a token is refused.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::kernel::ManualClock;

const SECRET: &[u8] = b"a shared secret of more than thirty-two bytes";
const SESSION: &str = "01936d3e-0000-7000-8000-000000000002";

struct Issuer {
    key: EcdsaKeyPair,
    clock: Arc<ManualClock>,
    verifier: TokenVerifier,
}

impl Issuer {
    fn new() -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let clock = Arc::new(ManualClock::at(DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap()));
        let rules = TokenRules {
            issuer: "https://door.example".into(),
            audience: "vestibule".into(),
            revocation_max_staleness: Duration::from_secs(30),
        };
        let verifier = TokenVerifier::new(rules, clock.clone());
        verifier.set_keys(KeyRing::from_jwks(&jwks(&key)).unwrap().with_shared_secret(SECRET));
        verifier.revocations().complete(clock.monotonic());
        Self { key, clock, verifier }
    }

    fn sign(&self, header: &Value, claims: &str) -> String {
        let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.as_bytes()));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", encode(signature.as_ref()))
    }

    fn token(&self) -> String {
        self.sign(&header(), &claims().to_string())
    }

    fn refusal(&self, token: &str) -> String {
        self.verifier.verify(token).expect_err("the token must be refused").to_string()
    }
}

fn jwks(key: &EcdsaKeyPair) -> String {
    let point = key.public_key().as_ref();
    json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256", "x": encode(&point[1..33]), "y": encode(&point[33..])},
        {"kty": "oct", "kid": "published-secret", "k": encode(SECRET)},
    ]})
    .to_string()
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"})
}

fn claims() -> Value {
    json!({
        "iss": "https://door.example", "sub": "01936d3e-0000-7000-8000-000000000001", "aud": "vestibule",
        "exp": 1_800_000_600, "iat": 1_800_000_000, "jti": "j", "sid": SESSION, "client_id": "vestibule",
        "scope": "users:read audit:read", "roles": ["admin"], "email": "ada@example.com", "type": "access",
    })
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

#[test]
fn a_valid_token_names_its_principal() {
    let issuer = Issuer::new();
    let token = issuer.token();
    assert!(!issuer.verifier.remembers(&token));
    let principal = issuer.verifier.verify(&token).unwrap();
    assert_eq!(principal.email.as_deref(), Some("ada@example.com"));
    assert!(principal.has_role("admin") && principal.may("users:read") && !principal.may("users:write"));
    assert!(issuer.verifier.remembers(&token));
}

#[test]
fn the_algorithm_belongs_to_the_key() {
    let issuer = Issuer::new();
    for header in [
        with(header(), "alg", json!("none")),
        with(header(), "alg", json!("HS256")),
        with(header(), "kid", json!("hs256")),
        with(header(), "kid", json!("published-secret")),
        with(header(), "kid", json!("unknown")),
        with(header(), "kid", Value::Null),
    ] {
        issuer.refusal(&issuer.sign(&header, &claims().to_string()));
    }
    let message = format!(
        "{}.{}",
        encode(with(header(), "alg", json!("none")).to_string().as_bytes()),
        encode(claims().to_string().as_bytes())
    );
    issuer.refusal(&format!("{message}."));
}

#[test]
fn a_symmetric_key_of_a_published_set_verifies_nothing() {
    let issuer = Issuer::new();
    issuer.verifier.set_keys(KeyRing::from_jwks(&jwks(&issuer.key)).unwrap());
    let header = json!({"alg": "HS256", "kid": "published-secret", "typ": "at+jwt"});
    let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims().to_string().as_bytes()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET);
    let token = format!("{message}.{}", encode(aws_lc_rs::hmac::sign(&key, message.as_bytes()).as_ref()));
    assert_eq!(issuer.refusal(&token), "the token's key is not known");
}

#[test]
fn header_and_claims_are_exact() {
    let issuer = Issuer::new();
    for header in [
        with(header(), "typ", json!("JWT")),
        with(header(), "typ", json!("rt+jwt")),
        with(header(), "typ", Value::Null),
        with(header(), "crit", json!(["exp"])),
    ] {
        issuer.refusal(&issuer.sign(&header, &claims().to_string()));
    }
    for (name, value) in [
        ("iss", json!("https://other.example")),
        ("iss", json!("https://door.example/")),
        ("aud", json!("other")),
        ("aud", Value::Null),
        ("exp", Value::Null),
        ("exp", json!("never")),
        ("exp", json!(1_800_000_000)),
        ("type", json!("refresh")),
        ("sub", json!("root")),
        ("sid", json!(7)),
    ] {
        issuer.refusal(&issuer.sign(&header(), &with(claims(), name, value).to_string()));
    }
}

#[test]
fn a_claim_that_stands_twice_is_refused() {
    let issuer = Issuer::new();
    let text = claims().to_string();
    let doubled = format!("{},\"sub\":\"01936d3e-0000-7000-8000-000000000009\"}}", text.strip_suffix('}').unwrap());
    assert_eq!(issuer.refusal(&issuer.sign(&header(), &doubled)), "the token is malformed");
}

#[test]
fn what_is_not_a_token_is_refused() {
    let issuer = Issuer::new();
    let good = issuer.token();
    let tampered = good.replacen("ey", "eY", 1);
    let oversized = "x".repeat(1 << 20);
    for wrong in
        ["", ".", "..", "a.b.c", good.trim_end_matches(|c: char| c != '.'), &tampered, &format!("{good}="), &oversized]
    {
        issuer.refusal(wrong);
    }
}

#[test]
fn a_token_ends_with_its_time_even_when_it_is_remembered() {
    let issuer = Issuer::new();
    let token = issuer.token();
    issuer.verifier.verify(&token).unwrap();
    issuer.clock.advance(Duration::from_mins(10));
    issuer.verifier.revocations().complete(issuer.clock.monotonic());
    assert_eq!(issuer.refusal(&token), "the token has expired");
}

#[test]
fn a_revoked_session_is_refused_even_when_its_token_is_remembered() {
    let issuer = Issuer::new();
    let token = issuer.token();
    issuer.verifier.verify(&token).unwrap();
    issuer.verifier.revocations().add([(SESSION.parse().unwrap(), issuer.clock.now() + Duration::from_mins(10))]);
    assert_eq!(issuer.refusal(&token), "the token was revoked");
}

#[test]
fn a_clock_that_is_set_changes_nothing_about_revocations() {
    for jump in [chrono::TimeDelta::hours(2), chrono::TimeDelta::hours(-2)] {
        let issuer = Issuer::new();
        let (revoked, living) = (SESSION.parse().unwrap(), "018bcfe5-6800-7000-8000-000000000009".parse().unwrap());
        issuer.verifier.revocations().add([(revoked, issuer.clock.now() + Duration::from_mins(10))]);
        issuer.clock.jump(jump);
        assert!(issuer.verifier.is_ready(), "{jump}: what was known a moment ago is not old");
        issuer.verifier.revocations().complete(issuer.clock.monotonic());
        assert!(
            issuer.verifier.revocations().contains(revoked),
            "{jump}: it may be set back, and the token live again"
        );
        assert!(!issuer.verifier.revocations().contains(living));
        issuer.clock.advance(Duration::from_secs(31));
        assert!(!issuer.verifier.is_ready(), "{jump}: what is not renewed grows old");
        issuer.clock.advance(Duration::from_mins(10));
        issuer.verifier.revocations().complete(issuer.clock.monotonic());
        assert!(!issuer.verifier.revocations().contains(revoked), "{jump}: its tokens have expired");
    }
}

#[test]
fn without_recent_revocations_no_token_is_accepted() {
    let issuer = Issuer::new();
    let token = issuer.token();
    issuer.clock.advance(Duration::from_secs(30));
    issuer.verifier.verify(&token).unwrap();
    issuer.clock.advance(Duration::from_millis(1));
    assert_eq!(issuer.verifier.verify(&token), Err(TokenFault::RevocationsStale));
    assert!(!issuer.verifier.is_ready());
}

#[test]
fn without_keys_no_token_is_judged() {
    let issuer = Issuer::new();
    issuer.verifier.set_keys(KeyRing::default());
    assert_eq!(issuer.verifier.verify(&issuer.token()), Err(TokenFault::KeysUnavailable));
}
