//! Access and refresh tokens: what is read, and what is accepted.
//!
//! An input without a line break is a whole token as a stranger sends it: it must be refused. One with a line break is a
//! header and claims, which are signed with the right key here: it may be accepted only when both say all they must.
#![no_main]

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vestibule::{
    kernel::{Clock as _, SystemClock},
    modules::auth::fuzzing::RefreshReader,
    platform::tokens::{KeyRing, TokenRules, TokenVerifier},
};

const SECRET: &str = "a secret that is long enough for HS256";
const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "vestibule";

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let rules = TokenRules {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        revocation_max_staleness: Duration::MAX,
    };
    let verifier = TokenVerifier::new(rules, Arc::new(SystemClock));
    verifier.set_keys(KeyRing::default().with_shared_secret(SECRET.as_bytes()));
    verifier.revocations().complete(SystemClock.monotonic());
    verifier
});
static READER: LazyLock<RefreshReader> = LazyLock::new(|| RefreshReader::new(ISSUER, AUDIENCE, SECRET));

fuzz_target!(|text: &str| {
    match text.split_once('\n') {
        None => {
            assert!(VERIFIER.verify(text).is_err(), "a token that nobody signed was accepted");
            assert!(!READER.reads(text), "a refresh token that nobody signed was read");
        }
        Some((header, claims)) => {
            let token = signed(header, claims);
            let access = VERIFIER.verify(&token).is_ok();
            let refresh = READER.reads(&token);
            assert!(!(access && refresh), "a token passes as both");
            if access || refresh {
                let says = |text: &str| serde_json::from_str::<Value>(text).expect("what was accepted is JSON");
                check(&says(header), &says(claims), access);
            }
        }
    }
});

/// What an accepted token must have said, read by another parser.
fn check(header: &Value, claims: &Value, is_access: bool) {
    let typ = header["typ"].as_str().expect("it has a typ").to_ascii_lowercase();
    assert_eq!(typ, if is_access { "at+jwt" } else { "rt+jwt" });
    assert_eq!(header["alg"], "HS256");
    assert!(header.get("crit").is_none());
    assert_eq!(claims["type"], if is_access { "access" } else { "refresh" });
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], AUDIENCE);
    if is_access {
        assert!(claims["exp"].as_i64().expect("it expires") > SystemClock.now().timestamp() - 1);
    }
}

fn signed(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
}
