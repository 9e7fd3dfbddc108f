//! Keys that are taken, and assertions that prove something.

use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::*;
use crate::{
    modules::auth::adapters::tokens::key_material::{encoding_key, generate},
    platform::tokens::SigningAlgorithm,
};

fn pair(algorithm: SigningAlgorithm) -> (EncodingKey, Value) {
    let made = generate(algorithm).unwrap().unwrap();
    (encoding_key(algorithm, &made.private_key).unwrap(), serde_json::from_str(&made.public_jwk).unwrap())
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn claims() -> Value {
    json!({"iss": "a", "sub": "a", "aud": "https://issuer", "exp": 1_800_000_000.5, "jti": "1"})
}

fn sign(key: &EncodingKey, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

#[test]
fn every_kind_of_key_verifies_its_algorithms() {
    for (kind, algorithms) in [
        (SigningAlgorithm::ES256, &[Algorithm::ES256][..]),
        (SigningAlgorithm::EdDSA, &[Algorithm::EdDSA]),
        (SigningAlgorithm::RS256, &[Algorithm::RS256, Algorithm::PS256]),
    ] {
        let (key, mut jwk) = pair(kind);
        jwk.as_object_mut().unwrap().remove("alg");
        let jwks = JwkClientKeys.check(&set(&[pair(SigningAlgorithm::ES256).1, jwk.clone()])).unwrap();
        for algorithm in algorithms {
            let kid = jwk["kid"].as_str();
            for kid in [kid, None] {
                let assertion = sign(&key, *algorithm, kid, &claims());
                let read = JwkClientKeys.verify(&assertion, &jwks).unwrap();
                assert_eq!((read.issuer.as_str(), read.expires_at.timestamp()), ("a", 1_800_000_000));
                assert_eq!(JwkClientKeys.claimed_client(&assertion).as_deref(), Some("a"));
            }
            let other = sign(&key, *algorithm, Some("other"), &claims());
            assert_eq!(JwkClientKeys.verify(&other, &jwks), None, "no such key");
        }
    }
}

#[test]
fn what_is_forged_or_incomplete_proves_nothing() {
    let (key, jwk) = pair(SigningAlgorithm::ES256);
    let jwks = set(std::slice::from_ref(&jwk));
    let (stranger, _) = pair(SigningAlgorithm::ES256);
    assert_eq!(JwkClientKeys.verify(&sign(&stranger, Algorithm::ES256, None, &claims()), &jwks), None);
    let public = EncodingKey::from_secret(jwk.to_string().as_bytes());
    assert_eq!(JwkClientKeys.verify(&sign(&public, Algorithm::HS256, None, &claims()), &jwks), None);
    let none = format!("{}.{}.", encode(&json!({"alg": "none"})), encode(&claims()));
    assert_eq!(JwkClientKeys.verify(&none, &jwks), None);
    for (name, value) in [
        ("iss", Value::Null),
        ("sub", json!(1)),
        ("aud", json!([1])),
        ("exp", json!("soon")),
        ("exp", json!(1e300)),
        ("nbf", json!("now")),
        ("jti", Value::Null),
    ] {
        let mut claims = claims();
        claims[name] = value;
        let assertion = sign(&key, Algorithm::ES256, None, &claims);
        assert_eq!(JwkClientKeys.verify(&assertion, &jwks), None, "{name}");
    }
    let typed = |typ: &str| {
        let header = Header { typ: Some(typ.to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims(), &key).unwrap()
    };
    assert!(JwkClientKeys.verify(&typed("client-authentication+jwt"), &jwks).is_some());
    assert_eq!(JwkClientKeys.verify(&typed("at+jwt"), &jwks), None);
    for garbage in ["", ".", "..", "a.b.c", &"a".repeat(9_000)] {
        assert_eq!(JwkClientKeys.verify(garbage, &jwks), None);
        assert_eq!(JwkClientKeys.claimed_client(garbage), None);
    }
}

#[test]
fn only_public_keys_for_signatures_are_registered() {
    let (_, good) = pair(SigningAlgorithm::ES256);
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        set(&[key])
    };
    JwkClientKeys.check(&set(std::slice::from_ref(&good))).unwrap();
    for wrong in [
        "no".to_owned(),
        "[]".to_owned(),
        set(&[]),
        set(&vec![good.clone(); 21]),
        set(&[json!({"kty": "oct", "k": "c2VjcmV0"})]),
        set(&[json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"})]),
        set(&[json!(7)]),
        with("d", json!("AQAB")),
        with("use", json!("enc")),
        with("key_ops", json!(["encrypt"])),
        with("alg", json!("HS256")),
        with("crv", json!("P-384")),
        with("x", json!("%")),
    ] {
        assert_eq!(JwkClientKeys.check(&wrong).unwrap_err().code, "invalid-jwks", "{wrong}");
    }
}

fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}
