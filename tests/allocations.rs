//! What costs no allocation: counted, in a process of its own, because the counter is the allocator.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{alloc::System, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use vestibule::{
    kernel::{Clock as _, SystemClock},
    platform::tokens::{AccessClaims, KeyRing, SHARED_SECRET_KID, TokenRules, TokenVerifier},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SECRET: &[u8] = b"a secret that is long enough for HS256";

#[test]
fn a_remembered_token_costs_no_allocation() {
    let rules = TokenRules {
        issuer: "https://issuer.example".to_owned(),
        audience: "vestibule".to_owned(),
        revocation_max_staleness: Duration::from_hours(1),
    };
    let verifier = TokenVerifier::new(rules, Arc::new(SystemClock));
    verifier.set_keys(KeyRing::default().with_shared_secret(SECRET));
    verifier.revocations().complete(SystemClock.monotonic());
    let tokens: Vec<_> = (0..100).map(token).collect();
    let verify_all = |times: usize| {
        let region = Region::new(ALLOCATOR);
        for token in std::iter::repeat_n(&tokens, times).flatten() {
            verifier.verify(token).unwrap();
        }
        let change = region.change();
        change.allocations + change.reallocations
    };
    // A first sight costs some, and whatever is built at first use is built here.
    assert!(verify_all(100) > 0, "the counter does not count");
    assert_eq!(verify_all(1_000), 0, "allocations in 100 000 hits");
}

fn token(number: u32) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(SHARED_SECRET_KID.to_owned());
    let id = format!("0195f0c0-0000-7000-8000-{number:012}");
    let claims = AccessClaims {
        iss: "https://issuer.example".to_owned(),
        sub: id.clone(),
        aud: "vestibule".to_owned(),
        exp: SystemClock.now().timestamp() + 3_600,
        iat: SystemClock.now().timestamp(),
        jti: id.clone(),
        sid: id,
        client_id: "vestibule".to_owned(),
        scope: "users:read users:write".to_owned(),
        roles: vec!["admin".to_owned()],
        email: Some("ada@example.com".to_owned()),
        kind: "access".to_owned(),
    };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}
