//! Tokens: how they look, which keys verify them, and what is refused.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
};

fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut read = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (read(), read())
}

#[rstest]
#[tokio::test]
async fn an_access_token_carries_what_the_contract_says(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    let session = app.session_of("ada@example.org").await;
    let (header, claims) = parts(&session.access_token);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("at+jwt")));
    for claim in ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "client_id", "scope", "roles", "type"] {
        assert!(claims.get(claim).is_some(), "{claim} in {claims}");
    }
    assert_eq!((&claims["iss"], &claims["type"]), (&json!(app.url), &json!("access")));
    let (header, claims) = parts(&session.refresh_token);
    assert_eq!((&header["typ"], &claims["type"]), (&json!("rt+jwt"), &json!("refresh")));

    let keys = app.get("/.well-known/jwks.json").send().await.must_be(200).json();
    let key = &keys["keys"][0];
    assert_eq!((&key["kid"], &key["use"], &key["alg"]), (&header["kid"], &json!("sig"), &json!("ES256")));
    assert!(key.get("d").is_none(), "{key}");

    // Neither is accepted as the other.
    app.get("/auth/me").bearer(&session.refresh_token).send().await.problem(401, "unauthenticated");
    let swapped = json!({"refresh_token": session.access_token});
    app.post("/auth/refresh").json(&swapped).send().await.must_be(401);

    let verified =
        app.post("/auth/verify").json(&json!({"token": session.access_token})).send().await.must_be(200).json();
    assert_eq!((&verified["active"], &verified["roles"]), (&json!(true), &json!(["user"])));
    let other = app.post("/auth/verify").json(&json!({"token": "nonsense"})).send().await.must_be(200).json();
    assert_eq!(other, json!({"active": false}));
}

#[rstest]
#[tokio::test]
async fn forged_tokens_are_refused_everywhere(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).settings("[gateway]\nrate_limit = false").start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let (header, mut claims) = parts(&token);
    let pieces: Vec<_> = token.split('.').collect();
    let pack = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let jwks = app.get("/.well-known/jwks.json").send().await.text();

    let unsigned = format!("{}.{}.", pack(&json!({"alg": "none", "typ": "at+jwt", "kid": header["kid"]})), pieces[1]);
    let mut confused = Header::new(Algorithm::HS256);
    confused.typ = Some("at+jwt".to_owned());
    confused.kid = header["kid"].as_str().map(str::to_owned);
    let by_public_key = jsonwebtoken::encode(&confused, &claims, &EncodingKey::from_secret(jwks.as_bytes())).unwrap();
    claims["roles"] = json!(["admin"]);
    let other_claims = format!("{}.{}.{}", pieces[0], pack(&claims), pieces[2]);
    let no_signature = format!("{}.{}.", pieces[0], pieces[1]);
    let long = format!("{}.{}.{}", pieces[0], "A".repeat(6000), pieces[2]);

    for forged in [&unsigned, &by_public_key, &other_claims, &no_signature, &long, "a.b.c", "x"] {
        for path in ["/auth/me", "/api/data/sources"] {
            let reply = app.get(path).bearer(forged).send().await;
            reply.problem(401, "unauthenticated");
            assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"), "{reply:?}");
        }
    }
    app.get("/auth/me").bearer(&token).send().await.must_be(200);
}

#[rstest]
#[tokio::test]
async fn tokens_are_signed_as_configured(
    #[values("RS256", "EdDSA", "HS256")] algorithm: &str,
    #[values(AllInOne, Split)] topology: Topology,
) {
    let mut settings = format!("[auth.tokens]\nalgorithm = \"{algorithm}\"\n");
    if algorithm == "HS256" {
        settings.push_str("secret = \"a-shared-secret-of-at-least-32-bytes\"\n");
    }
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let session = app.session_of("ada@example.org").await;
    assert_eq!(parts(&session.access_token).0["alg"], algorithm);
    app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200);
    app.get("/api/data/sources").bearer(&session.access_token).send().await.must_be(200);
    let jwks = app.get("/.well-known/jwks.json").send().await.must_be(200);
    assert!(!jwks.text().contains("oct"), "a shared secret is never published: {}", jwks.text());
}
