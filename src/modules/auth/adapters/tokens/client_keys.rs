//! The keys that clients register, and the assertions that they sign with them (RFC 7523).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk},
};
use serde_json::Value;

use crate::{
    kernel::error::ValueFault,
    modules::auth::{application::ClientKeys, domain::Assertion},
    platform::json,
};

/// The longest set, and the most keys in one.
const MAX_SET_BYTES: usize = 32 * 1024;
const MAX_KEYS: usize = 20;
/// The longest assertion.
const MAX_ASSERTION_BYTES: usize = 8 * 1024;
/// Members that only a private or shared key has (RFC 7518 §6, RFC 8037 §2).
const SECRETS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Reads with the JWT library.
pub(crate) struct JwkClientKeys;

impl ClientKeys for JwkClientKeys {
    fn check(&self, jwks: &str) -> Result<String, ValueFault> {
        let fault = |detail: String| ValueFault::new("invalid-jwks", detail);
        if jwks.len() > MAX_SET_BYTES {
            return Err(fault(format!("expected at most {MAX_SET_BYTES} bytes")));
        }
        let set = json::parse(jwks.as_bytes()).map_err(|error| fault(format!("not JSON: {error}")))?;
        let keys = set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or_else(|| fault("expected a JWK Set: an object with `keys`".to_owned()))?;
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return Err(fault(format!("expected 1 to {MAX_KEYS} keys")));
        }
        for (number, key) in keys.iter().enumerate() {
            check_key(key).map_err(|why| fault(format!("key {number}: {why}")))?;
        }
        Ok(serde_json::json!({ "keys": keys }).to_string())
    }

    fn claimed_client(&self, assertion: &str) -> Option<String> {
        if assertion.len() > MAX_ASSERTION_BYTES {
            return None;
        }
        let claims = decode(assertion.split('.').nth(1)?)?;
        claims["sub"].as_str().map(str::to_owned)
    }

    fn verify(&self, assertion: &str, jwks: &str) -> Option<Assertion> {
        if assertion.len() > MAX_ASSERTION_BYTES {
            return None;
        }
        let (message, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header = decode(header)?;
        // A token of another kind is no assertion, even if the client signed it.
        let is_kind = |typ: &str| ["JWT", "client-authentication+jwt"].iter().any(|own| own.eq_ignore_ascii_case(typ));
        if header.get("crit").is_some() || header.get("typ").is_some_and(|typ| !typ.as_str().is_some_and(is_kind)) {
            return None;
        }
        let set: Value = serde_json::from_str(jwks).ok()?;
        let is_meant = |key: &&Value| header.get("kid").is_none_or(|kid| key.get("kid") == Some(kid));
        let genuine = set["keys"].as_array()?.iter().filter(is_meant).any(|key| {
            let Some((algorithm, key)) = key_for(key, header["alg"].as_str().unwrap_or_default()) else { return false };
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap_or(false)
        });
        if genuine { assertion_of(&decode(claims)?) } else { None }
    }
}

fn check_key(key: &Value) -> Result<(), String> {
    let members = key.as_object().ok_or("expected an object")?;
    if let Some(secret) = SECRETS.iter().find(|name| members.contains_key(**name)) {
        return Err(format!("`{secret}` is secret; register the public key alone"));
    }
    if members.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err("`use` is not `sig`".to_owned());
    }
    if members.get("key_ops").is_some_and(|uses| !uses.as_array().is_some_and(|uses| uses.contains(&"verify".into()))) {
        return Err("`key_ops` does not name `verify`".to_owned());
    }
    let jwk: Jwk = serde_json::from_value(key.clone()).map_err(|error| error.to_string())?;
    let algorithms = algorithms_of(&jwk);
    let kinds = "expected an RSA key of 2048 to 8192 bits, an EC key on P-256, or an Ed25519 key";
    if algorithms.is_empty() {
        return Err(kinds.to_owned());
    }
    let named = members.get("alg").map(|alg| alg.as_str().unwrap_or_default());
    if named.is_some_and(|named| !algorithms.iter().any(|(name, _)| *name == named)) {
        return Err("`alg` is not one that this key verifies: RS256, PS256, ES256 or EdDSA".to_owned());
    }
    DecodingKey::from_jwk(&jwk).map(|_| ()).map_err(|error| error.to_string())
}

/// What a key may verify: decided by its kind. Never a shared secret.
fn algorithms_of(jwk: &Jwk) -> &'static [(&'static str, Algorithm)] {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(&key.n).map_or(0, |modulus| modulus.len());
            if (256..=1024).contains(&bytes) {
                &[("RS256", Algorithm::RS256), ("PS256", Algorithm::PS256)]
            } else {
                &[]
            }
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[("ES256", Algorithm::ES256)],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[("EdDSA", Algorithm::EdDSA)],
        _ => &[],
    }
}

/// The key, if it verifies this algorithm.
fn key_for(key: &Value, alg: &str) -> Option<(Algorithm, DecodingKey)> {
    if key.get("alg").is_some_and(|own| own != alg) {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
    let (_, algorithm) = algorithms_of(&jwk).iter().find(|(name, _)| *name == alg)?;
    Some((*algorithm, DecodingKey::from_jwk(&jwk).ok()?))
}

fn assertion_of(claims: &Value) -> Option<Assertion> {
    let audiences = match &claims["aud"] {
        Value::String(audience) => vec![audience.clone()],
        Value::Array(audiences) => {
            audiences.iter().map(|audience| audience.as_str().map(str::to_owned)).collect::<Option<_>>()?
        }
        _ => return None,
    };
    let text = |name: &str| claims[name].as_str().map(str::to_owned);
    let not_before = match claims.get("nbf") {
        None => None,
        Some(at) => Some(time(at)?),
    };
    Some(Assertion {
        issuer: text("iss")?,
        subject: text("sub")?,
        audiences,
        expires_at: time(&claims["exp"])?,
        not_before,
        id: text("jti")?,
    })
}

/// RFC 7519 §2, NumericDate: seconds, which may have a fraction.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    let secs = value.as_f64().filter(|secs| (0.0..1e11).contains(secs))?;
    #[expect(clippy::cast_possible_truncation, reason = "the fraction of a second does not matter")]
    DateTime::from_timestamp(secs as i64, 0)
}

fn decode(part: &str) -> Option<Value> {
    json::parse(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests;
