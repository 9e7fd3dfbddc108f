//! Tokens of another issuer, good and bad.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::kernel::ManualClock;

const NOW: i64 = 1_800_000_000;
const SECRET: &[u8] = b"a secret of tests, long enough for HS256";

fn verifier(algorithms: Vec<SigningAlgorithm>) -> (ForeignVerifier, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(NOW, 0).unwrap()));
    let rules = ForeignRules {
        name: "corp".to_owned(),
        issuer: "https://login.corp.example".to_owned(),
        audience: "shop".to_owned(),
        algorithms,
        roles_claim: "realm_access.roles".to_owned(),
        scopes_claim: "scope".to_owned(),
        keys_max_age: Duration::from_mins(1),
    };
    (ForeignVerifier::new(rules, clock.clone()), clock)
}

fn ring() -> KeyRing {
    // A shared secret stands in for a published key: what is signed how is the ring's business.
    KeyRing::default().with_shared_secret(SECRET)
}

fn known() -> (ForeignVerifier, Arc<ManualClock>) {
    let (verifier, clock) = verifier(vec![SigningAlgorithm::HS256]);
    verifier.set_keys(ring(), false);
    (verifier, clock)
}

fn claims() -> Value {
    json!({
        "iss": "https://login.corp.example", "aud": ["other", "shop"], "sub": "00u1", "exp": NOW + 300, "iat": NOW,
        "azp": "spa", "scope": "catalog:read orders", "realm_access": {"roles": ["admin", "two words", "a,b"]},
        "email": "ann@corp.example", "email_verified": true,
    })
}

fn token(header: &Value, claims: &Value) -> String {
    let mut full = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    full.kid = header["kid"].as_str().map(str::to_owned);
    full.typ = header["typ"].as_str().map(str::to_owned);
    jsonwebtoken::encode(&full, claims, &jsonwebtoken::EncodingKey::from_secret(SECRET)).unwrap()
}

fn usual(claims: &Value) -> String {
    token(&json!({"kid": "hs256", "typ": "JWT"}), claims)
}

#[test]
fn a_good_token_is_read() {
    let (verifier, clock) = known();
    let token = usual(&claims());
    assert!(!verifier.remembers(&token));
    let principal = verifier.verify(&token).unwrap();
    assert_eq!(principal.subject.to_string(), "corp|00u1");
    assert_eq!((principal.user(), principal.client_id.as_str()), (None, "corp|spa"));
    assert_eq!(principal.roles, ["admin"]);
    assert_eq!(principal.scopes, ["catalog:read", "orders"]);
    assert_eq!(principal.email.as_deref(), Some("ann@corp.example"));
    assert!(verifier.remembers(&token));
    verifier.verify(&token).unwrap();
    assert_eq!(claimed_issuer(&token).as_deref(), Some("https://login.corp.example"));
    clock.advance(Duration::from_secs(59));
    verifier.verify(&token).unwrap();
}

#[rstest]
#[case::other_issuer("iss", json!("https://evil.example"))]
#[case::issuer_with_a_slash("iss", json!("https://login.corp.example/"))]
#[case::other_audience("aud", json!("other"))]
#[case::no_audience("aud", Value::Null)]
#[case::expired("exp", json!(NOW))]
#[case::never_expires("exp", Value::Null)]
#[case::expiry_as_text("exp", json!("4000000000"))]
#[case::not_yet("nbf", json!(NOW + 31))]
#[case::from_the_future("iat", json!(NOW + 31))]
#[case::no_subject("sub", Value::Null)]
#[case::subject_with_a_line("sub", json!("a\r\nx-user-roles: admin"))]
#[case::long_subject("sub", json!("x".repeat(256)))]
fn a_wrong_claim_is_refused(#[case] name: &str, #[case] value: Value) {
    let (verifier, _) = known();
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    let fault = verifier.verify(&usual(&claims)).unwrap_err();
    assert!(matches!(fault, ForeignFault::Token(TokenFault::Invalid(_))), "{fault:?}");
}

#[test]
fn an_unknown_key_is_told_apart_and_other_headers_are_refused() {
    let (verifier, _) = known();
    let with = |header: Value| verifier.verify(&token(&header, &claims())).unwrap_err();
    assert_eq!(with(json!({"kid": "new", "typ": "at+jwt"})), ForeignFault::UnknownKey);
    for header in
        [json!({"typ": "JWT"}), json!({"kid": "hs256", "typ": "rt+jwt"}), json!({"kid": "hs256", "typ": "logout+jwt"})]
    {
        assert!(matches!(with(header), ForeignFault::Token(TokenFault::Invalid(_))));
    }
    verifier.verify(&token(&json!({"kid": "hs256"}), &claims())).unwrap();
    verifier.verify(&token(&json!({"kid": "hs256", "typ": "application/at+JWT"}), &claims())).unwrap();
}

#[test]
fn keys_of_other_algorithms_are_not_used() {
    let (verifier, _) = verifier(vec![SigningAlgorithm::ES256]);
    verifier.set_keys(ring(), false);
    assert!(verifier.verify(&usual(&claims())).is_err());
}

#[test]
fn keys_that_are_too_old_verify_nothing_not_even_what_is_remembered() {
    let (verifier, clock) = known();
    let token = usual(&claims());
    verifier.verify(&token).unwrap();
    clock.advance(Duration::from_secs(61));
    assert_eq!(verifier.verify(&token).unwrap_err(), TokenFault::KeysUnavailable.into());
    verifier.set_keys(KeyRing::default(), true);
    verifier.verify(&token).unwrap();
}

#[test]
fn nothing_is_verified_before_the_keys_are_known() {
    let (verifier, _) = verifier(vec![SigningAlgorithm::HS256]);
    assert_eq!(verifier.verify(&usual(&claims())).unwrap_err(), TokenFault::KeysUnavailable.into());
}

#[test]
fn what_other_keys_signed_is_forgotten() {
    let (verifier, _) = known();
    let token = usual(&claims());
    verifier.verify(&token).unwrap();
    verifier.set_keys(KeyRing::default(), false);
    assert_eq!(verifier.verify(&token).unwrap_err(), ForeignFault::UnknownKey);
}

#[test]
fn scopes_may_be_a_list_and_a_claim_may_have_dots_in_its_name() {
    let claims = json!({"https://x.example/roles": ["a"], "scp": ["b", "c"], "deep": {"er": "d e"}});
    assert_eq!(words(&claims, "https://x.example/roles"), ["a"]);
    assert_eq!(words(&claims, "scp"), ["b", "c"]);
    assert_eq!(words(&claims, "deep.er"), ["d", "e"]);
    assert!(words(&claims, "deep.none").is_empty());
}
