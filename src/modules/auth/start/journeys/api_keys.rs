//! API keys, from their making to their end.

use super::*;

async fn setting() -> (TestAuth, String, String) {
    let app = TestAuth::start(&config::AuthConfig { require_verified_email: false, ..configuration() }).await;
    app.register("ada@example.com").await;
    app.register("eve@example.com").await;
    let ada = app.log_in("ada@example.com").await.text("access_token");
    let eve = app.log_in("eve@example.com").await.text("access_token");
    (app, ada, eve)
}

fn digest(key: &str) -> String {
    use std::fmt::Write as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

impl TestAuth {
    async fn make_key(&self, token: &str, body: Value) -> Answer {
        self.call(Method::POST, "/auth/api-keys", Some(token), Some(body)).await
    }

    async fn stands_for(&self, key: &str) -> Option<crate::kernel::Principal> {
        self.auth.api().api_key(&digest(key)).await.unwrap()
    }
}

#[actix_web::test]
async fn a_key_is_shown_once_and_ends_at_once() {
    let (app, ada, eve) = setting().await;
    let made = app.make_key(&ada, json!({"name": "laptop", "scopes": []})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.header("location"), format!("/auth/api-keys/{}", made.text("id")));
    assert_eq!(made.header("cache-control"), "no-store");
    let key = made.text("key");
    assert!(key.starts_with("vk_") && key.starts_with(&made.text("hint")), "{key}");
    assert_eq!((&made.body["expires_at"], &made.body["last_used_at"]), (&Value::Null, &Value::Null));

    let principal = app.stands_for(&key).await.unwrap();
    let me = app.me(&ada).await;
    assert_eq!(principal.subject.to_string(), me.text("id"));
    assert_eq!(principal.session_id.to_string(), made.text("id"));
    assert_eq!((principal.email.as_deref(), principal.is_first_party()), (Some("ada@example.com"), false));
    assert_eq!((principal.roles, principal.scopes), (vec!["user".to_owned()], vec![]));
    assert_eq!(app.stands_for("vk_unknown").await, None);

    let path = made.header("location").to_owned();
    let seen = app.call(Method::GET, &path, Some(&ada), None).await;
    assert_eq!((seen.status.as_u16(), seen.body.get("key")), (200, None));
    assert_eq!(seen.body["last_used_at"], "2027-01-15T08:00:00.000000Z");
    app.clock.advance(Duration::from_secs(59));
    app.stands_for(&key).await.unwrap();
    let listed = app.call(Method::GET, "/auth/api-keys", Some(&ada), None).await;
    assert_eq!(listed.body["items"], json!([seen.body]), "a use is noted once a minute");
    app.clock.advance(Duration::from_secs(1));
    app.stands_for(&key).await.unwrap();
    let later = app.call(Method::GET, &path, Some(&ada), None).await;
    assert_eq!(later.body["last_used_at"], "2027-01-15T08:01:00.000000Z");

    for method in [Method::GET, Method::DELETE] {
        assert_eq!(app.call(method, &path, Some(&eve), None).await.status, 404, "another's");
    }
    assert_eq!(app.call(Method::GET, "/auth/api-keys", Some(&eve), None).await.body["items"], json!([]));
    assert_eq!(app.call(Method::DELETE, &path, Some(&ada), None).await.status, 204);
    assert_eq!(app.stands_for(&key).await, None);
    let id = principal.session_id;
    assert!(app.verifier.revocations().contains(id), "this process knows without a detour");
    let feed = app.auth.api().revocations(None, Duration::ZERO).await.unwrap();
    assert!(feed.sessions.iter().any(|(revoked, _)| *revoked == id), "and all others learn it");
    app.clock.advance(Duration::from_secs(61));
    assert!(app.auth.api().revocations(None, Duration::ZERO).await.unwrap().sessions.is_empty());
    assert_eq!(app.call(Method::DELETE, &path, Some(&ada), None).await.status, 404);
    assert_eq!(app.call(Method::GET, "/auth/api-keys/nonsense", Some(&ada), None).await.status, 404);
}

#[actix_web::test]
async fn a_key_cannot_be_more_than_its_owner() {
    let (app, ada, _) = setting().await;
    let wrong = json!({"name": " ", "scopes": [7], "expires_at": "tomorrow", "more": 1});
    let wrong = app.make_key(&ada, wrong).await;
    let pointers = |answer: &Answer| -> Vec<_> {
        let errors = answer.body["errors"].as_array().unwrap();
        errors.iter().map(|error| (error["pointer"].clone(), error["code"].clone())).collect()
    };
    assert_eq!(
        pointers(&wrong),
        [("/name", "empty"), ("/scopes/0", "wrong-type"), ("/expires_at", "invalid-time"), ("/more", "unknown")]
            .map(|(pointer, code)| (json!(pointer), json!(code)))
    );
    let body = json!({"name": "x", "scopes": ["users:read", "fly"], "expires_at": "2027-01-15T08:00:00Z"});
    let wrong = app.make_key(&ada, body).await;
    assert_eq!(wrong.status, 422);
    assert_eq!(
        pointers(&wrong),
        [("/scopes/0", "scope-not-held"), ("/scopes/1", "unknown-scope"), ("/expires_at", "in-the-past")]
            .map(|(pointer, code)| (json!(pointer), json!(code)))
    );
    let missing = app.make_key(&ada, json!({})).await;
    assert_eq!(pointers(&missing).len(), 2, "{}", missing.body);

    let body = json!({"name": "soon over", "scopes": [], "expires_at": "2027-01-15T09:00:01+01:00"});
    let made = app.make_key(&ada, body).await;
    assert_eq!(made.body["expires_at"], "2027-01-15T08:00:01.000000Z");
    assert!(app.stands_for(&made.text("key")).await.is_some());
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(app.stands_for(&made.text("key")).await, None);
    for _ in 0..2 {
        assert_eq!(app.make_key(&ada, json!({"name": "x", "scopes": []})).await.status, 201);
    }
    let full = app.make_key(&ada, json!({"name": "x", "scopes": []})).await;
    assert_eq!((full.status.as_u16(), full.code()), (409, "too-many-api-keys"));
    app.clock.advance(Duration::from_mins(15));
    let late = app.make_key(&ada, json!({"name": "x", "scopes": []})).await;
    assert_eq!((late.status.as_u16(), late.code()), (401, "step-up-required"), "a login of long ago makes no keys");
}

#[actix_web::test]
async fn a_call_that_is_sent_again_makes_one_key() {
    let (app, ada, _) = setting().await;
    let send = |name: &'static str| {
        let request = TestRequest::post().uri("/auth/api-keys").set_json(json!({"name": name, "scopes": []}));
        let request = request.insert_header((header::AUTHORIZATION, format!("Bearer {ada}")));
        app.send(request.insert_header(("idempotency-key", "one")))
    };
    let first = send("laptop").await;
    let again = send("laptop").await;
    assert_eq!(
        (first.status.as_u16(), &first.body),
        (201, &again.body),
        "the same key, which was shown to nobody else"
    );
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(send("phone").await.code(), "idempotency-key-reused");
    let listed = app.call(Method::GET, "/auth/api-keys", Some(&ada), None).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    let file = std::fs::read(app.folder.path().join("auth.db")).unwrap();
    let wal = std::fs::read(app.folder.path().join("auth.db-wal")).unwrap_or_default();
    let kept = String::from_utf8_lossy(&[file, wal].concat()).into_owned();
    assert!(kept.contains(&first.text("hint")) && !kept.contains(&first.text("key")), "its text is kept nowhere");
}
