//! Administration of OAuth clients, and what clients get for themselves.

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret as _;

use super::*;
use crate::modules::auth::api::{CreateClient, CreateUser, CreatedClient};

/// A client's id and secret, for `Authorization`.
pub(super) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

impl TestAuth {
    /// A client as the command line registers it.
    pub(super) async fn client(&self, command: CreateClient) -> (String, String) {
        let command = CreateClient { name: "Client".to_owned(), ..command };
        let CreatedClient { client, secret } = self.auth.administration().clients.create_client(command).await.unwrap();
        (client.client_id, secret.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default())
    }

    /// A client that speaks for itself.
    pub(super) async fn robot(&self, scopes: &[&str]) -> (String, String) {
        self.client(CreateClient { scopes: texts(scopes), ..CreateClient::default() }).await
    }

    /// A form at an OAuth endpoint, with or without `Authorization`.
    pub(super) async fn form(&self, path: &str, authorization: Option<&str>, form: &[(&str, &str)]) -> Answer {
        let mut request = TestRequest::post().uri(path).peer_addr("127.0.0.1:9".parse().unwrap()).set_form(form);
        if let Some(authorization) = authorization {
            request = request.insert_header((AUTHORIZATION, authorization));
        }
        self.send(request).await
    }

    pub(super) async fn is_active(&self, robot: &(String, String), token: &str) -> bool {
        let state = self.form("/oauth/introspect", Some(&basic(&robot.0, &robot.1)), &[("token", token)]).await;
        assert_eq!(state.status, 200, "{}", state.body);
        state.body["active"].as_bool().unwrap()
    }

    /// The access token of a user with these roles.
    pub(super) async fn staff(&self, email: &str, role: &str) -> String {
        let command = CreateUser {
            email: email.to_owned(),
            password: "correct horse".into(),
            display_name: None,
            roles: texts(&[role]),
            verified: true,
        };
        self.auth.administration().users.create_user(command).await.unwrap();
        self.log_in(email).await.text("access_token")
    }
}

pub(super) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub(super) const BY_ITSELF: (&str, &str) = ("grant_type", "client_credentials");

#[actix_web::test]
async fn a_client_is_registered_shown_replaced_and_removed() {
    let app = TestAuth::start(&configuration()).await;
    let admin = app.staff("root@example.com", "admin").await;
    let user = app.staff("ada@example.com", "user").await;
    let wish = json!({
        "client_name": "Shop", "redirect_uris": ["https://shop.example/cb"], "scope": "openid offline_access users:read"
    });
    let refused = app.call(Method::POST, "/clients", Some(&user), Some(wish.clone())).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "forbidden"));
    let made = app.call(Method::POST, "/clients", Some(&admin), Some(wish)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (id, secret) = (made.text("client_id"), made.text("client_secret"));
    assert_eq!(made.header("location"), format!("/clients/{id}"));
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!((secret.len(), &made.body["grant_types"]), (64, &json!(["authorization_code", "refresh_token"])));
    assert_eq!(made.text("token_endpoint_auth_method"), "client_secret_basic");
    let path = format!("/clients/{id}");
    let shown = app.call(Method::GET, &path, Some(&admin), None).await;
    assert_eq!((shown.status.as_u16(), shown.body.get("client_secret")), (200, None));
    assert_eq!(shown.header("etag"), made.header("etag"));
    for (method, path) in [(Method::GET, "/clients"), (Method::GET, path.as_str()), (Method::DELETE, path.as_str())] {
        assert_eq!(app.call(method.clone(), path, Some(&user), None).await.status, 403, "{method} {path}");
        assert_eq!(app.call(method, path, None, None).await.status, 401);
    }

    let replacement = json!({"client_name": "Store", "redirect_uris": ["https://shop.example/cb2"]});
    let put = |version: &str| {
        let request = TestRequest::put().uri(&path).set_json(&replacement);
        let request = request.insert_header((AUTHORIZATION, format!("Bearer {admin}")));
        app.send(request.insert_header((IF_MATCH, version.to_owned())))
    };
    let changed = put(made.header("etag")).await;
    assert_eq!((changed.status.as_u16(), changed.text("client_name").as_str()), (200, "Store"), "{}", changed.body);
    assert_eq!(changed.text("scope"), "email offline_access openid profile");
    assert_ne!(changed.header("etag"), made.header("etag"), "within one tick of the clock too");
    assert_eq!(put(made.header("etag")).await.code(), "precondition-failed");
    let fixed = json!({"client_name": "Store", "token_endpoint_auth_method": "none"});
    let fixed = app.call(Method::PUT, &path, Some(&admin), Some(fixed)).await;
    let pointers: Vec<_> = fixed.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert!(pointers.contains(&json!("/token_endpoint_auth_method")), "{pointers:?}");

    let list = app.call(Method::GET, "/clients?limit=1", Some(&admin), None).await;
    assert_eq!((list.body["items"][0]["client_id"].as_str(), &list.body["next_cursor"]), (Some(&*id), &Value::Null));
    assert_eq!(app.call(Method::DELETE, &path, Some(&admin), None).await.status, 204);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(app.call(method, &path, Some(&admin), None).await.code(), "not-found");
    }
}

#[actix_web::test]
async fn every_fault_of_a_registration_is_told_at_once() {
    let app = TestAuth::start(&configuration()).await;
    let admin = app.staff("root@example.com", "admin").await;
    let wish = json!({
        "client_name": 7, "redirect_uris": ["http://shop.example/cb", 1], "grant_types": "all", "scope": "a\"",
        "jwks": {"keys": []}, "client_id": "mine"
    });
    let answer = app.call(Method::POST, "/clients", Some(&admin), Some(wish)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "validation-failed"));
    let mut pointers: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect();
    pointers.sort();
    assert_eq!(
        pointers,
        ["/client_id", "/client_name", "/grant_types", "/jwks", "/redirect_uris/0", "/redirect_uris/1", "/scope"]
    );
    let nothing = app.call(Method::POST, "/clients", Some(&admin), Some(json!({}))).await;
    assert_eq!(nothing.body["errors"][0]["pointer"], "/client_name");
}

#[actix_web::test]
async fn a_registration_that_is_sent_again_is_made_once() {
    let app = TestAuth::start(&configuration()).await;
    let admin = app.staff("root@example.com", "admin").await;
    let post = |name: &str| {
        let request = TestRequest::post().uri("/clients").set_json(json!({"client_name": name}));
        let request = request.insert_header((AUTHORIZATION, format!("Bearer {admin}")));
        app.send(request.insert_header(("idempotency-key", "one")))
    };
    let (first, again) = (post("Robot").await, post("Robot").await);
    assert_eq!((first.status.as_u16(), &first.body), (201, &again.body));
    assert!(first.body["client_secret"].is_string());
    assert_eq!(post("Other").await.code(), "idempotency-key-reused");
    let list = app.call(Method::GET, "/clients", Some(&admin), None).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn nobody_gives_a_client_more_than_they_have() {
    let app = TestAuth::start(&configuration()).await;
    let (id, secret) = app.robot(&["clients:write"]).await;
    let answer = app.form("/oauth/token", Some(&basic(&id, &secret)), &[BY_ITSELF]).await;
    let token = answer.text("access_token");
    let wish = |scope: &str| json!({"client_name": "Robot", "scope": scope});
    let post = |scope: &str| app.call(Method::POST, "/clients", Some(&token), Some(wish(scope)));
    assert_eq!(post("clients:write catalog:read").await.status, 201, "its own, and what is no permission of ours");
    assert_eq!(post("users:write").await.code(), "forbidden");
    let (mighty, _) = app.robot(&["users:write"]).await;
    let rotated = app.call(Method::POST, &format!("/clients/{mighty}/rotate-secret"), Some(&token), None).await;
    assert_eq!(rotated.code(), "forbidden");
    let put = app.call(Method::PUT, &format!("/clients/{mighty}"), Some(&token), Some(wish("users:write"))).await;
    assert_eq!(put.status, 200, "what it has already is nothing new: {}", put.body);
    let put = app.call(Method::PUT, &format!("/clients/{id}"), Some(&token), Some(wish("users:write"))).await;
    assert_eq!(put.code(), "forbidden");
}

#[actix_web::test]
async fn a_client_speaks_for_itself() {
    let app = TestAuth::start(&configuration()).await;
    let robot = app.robot(&["catalog:read", "users:read", "offline_access"]).await;
    let header = basic(&robot.0, &robot.1);
    let answer = app.form("/oauth/token", Some(&header), &[BY_ITSELF]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    assert_eq!((answer.text("token_type").as_str(), &answer.body["expires_in"]), ("Bearer", &json!(1_800)));
    assert_eq!(answer.text("scope"), "catalog:read users:read");
    assert!(answer.body.get("refresh_token").is_none() && answer.body.get("id_token").is_none());
    let token = answer.text("access_token");
    let principal = app.verifier.verify(&token).unwrap();
    assert_eq!(
        (principal.subject.to_string(), principal.user(), &principal.client_id),
        (robot.0.clone(), None, &robot.0)
    );
    assert_eq!(app.me(&token).await.status, 403, "it is no user");

    let in_form =
        [BY_ITSELF, ("client_id", &robot.0), ("client_secret", &robot.1), ("scope", "catalog:read offline_access")];
    let narrow = app.form("/oauth/token", None, &in_form).await;
    assert_eq!((narrow.text("scope").as_str(), narrow.body.get("refresh_token")), ("catalog:read", None));

    let state = app.form("/oauth/introspect", Some(&header), &[("token", &token)]).await.body;
    assert_eq!(state["active"], true);
    assert_eq!((&state["sub"], &state["client_id"]), (&json!(robot.0), &json!(robot.0)));
    assert_eq!((&state["aud"], &state["iss"]), (&json!("vestibule"), &json!("http://127.0.0.1:8000")));
    assert_eq!((&state["scope"], &state["token_type"]), (&json!("catalog:read users:read"), &json!("Bearer")));
    assert_eq!((&state["iat"], &state["exp"]), (&json!(1_800_000_000), &json!(1_800_001_800)));
    assert!(state["jti"].is_string() && state["sid"].is_string());

    let other = app.robot(&[]).await;
    let foreign = app.form("/oauth/revoke", Some(&basic(&other.0, &other.1)), &[("token", &token)]).await;
    assert_eq!((foreign.status.as_u16(), &foreign.body["error"]), (400, &json!("unauthorized_client")));
    assert!(app.is_active(&other, &token).await);
    for _ in 0..2 {
        let form = [("token", &*token), ("token_type_hint", "refresh_token")];
        assert_eq!(app.form("/oauth/revoke", Some(&header), &form).await.status, 200);
    }
    assert!(!app.is_active(&robot, &token).await);
    assert!(app.verifier.verify(&token).is_err(), "at once, in this process");
    let feed = app.auth.api().revocations(None, Duration::ZERO).await.unwrap();
    assert_eq!(feed.sessions, [(principal.session_id, principal.expires_at)], "and in the others");
    assert!(app.is_active(&robot, &narrow.text("access_token")).await, "its other tokens work on");
    assert_eq!(app.form("/oauth/revoke", Some(&header), &[("token", "nonsense")]).await.status, 200);
    assert_eq!(app.form("/oauth/revoke", Some(&header), &[]).await.body["error"], "invalid_request");

    let late = app.form("/oauth/token", Some(&header), &[BY_ITSELF]).await.text("access_token");
    app.clock.advance(Duration::from_mins(30));
    assert!(!app.is_active(&robot, &late).await, "expired");
    let last = app.form("/oauth/token", Some(&header), &[BY_ITSELF]).await.text("access_token");
    app.auth.administration().clients.delete_client(&robot.0).await.unwrap();
    assert!(!app.is_active(&other, &last).await, "its client is gone");
    assert_eq!(app.form("/oauth/token", Some(&header), &[BY_ITSELF]).await.body["error"], "invalid_client");
}

#[actix_web::test]
async fn faults_are_told_as_the_standard_says() {
    let app = TestAuth::start(&configuration()).await;
    let robot = app.robot(&["catalog:read"]).await;
    let header = basic(&robot.0, &robot.1);
    let (phone, _) = app
        .client(CreateClient {
            public: true,
            redirect_uris: texts(&["com.example.phone:/cb"]),
            ..CreateClient::default()
        })
        .await;
    let refresh = ("grant_type", "refresh_token");
    type Case<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], u16, &'a str);
    let cases: &[Case<'_>] = &[
        (Some(&header), &[], 400, "invalid_request"),
        (Some(&header), &[("grant_type", "")], 400, "invalid_request"),
        (Some(&header), &[BY_ITSELF, BY_ITSELF], 400, "invalid_request"),
        (Some(&header), &[BY_ITSELF, ("x", "1"), ("x", "1")], 400, "invalid_request"),
        (Some(&header), &[BY_ITSELF, ("client_secret", &robot.1)], 400, "invalid_request"),
        (Some(&header), &[("grant_type", "password")], 400, "unsupported_grant_type"),
        (Some(&header), &[("grant_type", "device_code")], 400, "unsupported_grant_type"),
        (Some(&header), &[("grant_type", "authorization_code"), ("code", "x")], 400, "unauthorized_client"),
        (Some(&header), &[refresh, ("refresh_token", "x")], 400, "unauthorized_client"),
        (Some(&header), &[BY_ITSELF, ("scope", "catalog:read users:read")], 400, "invalid_scope"),
        (Some(&header), &[BY_ITSELF, ("scope", "\u{e4}")], 400, "invalid_scope"),
        (Some(&header), &[BY_ITSELF, ("resource", "https://elsewhere.example")], 400, "invalid_target"),
        (None, &[BY_ITSELF], 401, "invalid_client"),
        (None, &[BY_ITSELF, ("client_id", &robot.0)], 401, "invalid_client"),
        (None, &[BY_ITSELF, ("client_id", "nobody")], 401, "invalid_client"),
        (None, &[BY_ITSELF, ("client_id", "nobody"), ("client_secret", "x")], 401, "invalid_client"),
        (None, &[BY_ITSELF, ("client_id", &robot.0), ("client_secret", "x")], 401, "invalid_client"),
        (Some("Bearer x"), &[BY_ITSELF], 401, "invalid_client"),
        (None, &[BY_ITSELF, ("client_id", &phone)], 400, "unauthorized_client"),
        (None, &[BY_ITSELF, ("client_id", &phone), ("client_secret", "x")], 401, "invalid_client"),
        (None, &[refresh, ("client_id", &phone)], 400, "invalid_request"),
        (None, &[refresh, ("client_id", &phone), ("refresh_token", "x")], 400, "invalid_grant"),
    ];
    for (header, form, status, error) in cases {
        let answer = app.form("/oauth/token", *header, form).await;
        assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (*status, Some(*error)), "{form:?}");
        assert!(answer.body["error_description"].is_string());
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
        assert_eq!(answer.header("www-authenticate").starts_with("Basic "), *status == 401, "{form:?}");
    }
    let json = TestRequest::post().uri("/oauth/token").set_json(json!({"grant_type": "client_credentials"}));
    let answer = app.send(json).await;
    assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (415, Some("invalid_request")));
    let raw = |body: &'static [u8]| {
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        app.send(TestRequest::post().uri("/oauth/token").insert_header((CONTENT_TYPE, form)).set_payload(body))
    };
    for body in [&b"grant_type=%ff"[..], b"grant_type=%00", b"grant_type=%zz", b"\xff=1"] {
        assert_eq!(raw(body).await.body["error"], "invalid_request");
    }
    let long: &'static [u8] = Box::leak(vec![b'a'; 70_000].into_boxed_slice());
    let answer = raw(long).await;
    assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (413, Some("invalid_request")));
    assert_eq!(app.call(Method::GET, "/oauth/token", None, None).await.header("allow"), "POST");
}

#[actix_web::test]
async fn guessing_a_secret_is_limited_by_client_and_address() {
    let app = TestAuth::start(&configuration()).await;
    let robot = app.robot(&[]).await;
    for id in [robot.0.as_str(), "nobody"] {
        for _ in 0..4 {
            assert_eq!(app.form("/oauth/token", Some(&basic(id, "wrong")), &[BY_ITSELF]).await.status, 401);
        }
        let fifth = app.form("/oauth/token", Some(&basic(id, "wrong")), &[BY_ITSELF]).await;
        assert_eq!((fifth.status.as_u16(), fifth.header("retry-after")), (429, "900"), "{id}");
    }
    let right = basic(&robot.0, &robot.1);
    assert_eq!(app.form("/oauth/token", Some(&right), &[BY_ITSELF]).await.status, 429, "right or wrong");
    let elsewhere = TestRequest::post().uri("/oauth/token").peer_addr("10.0.0.1:9".parse().unwrap());
    let elsewhere = elsewhere.set_form([BY_ITSELF]).insert_header((AUTHORIZATION, right.clone()));
    assert_eq!(app.send(elsewhere).await.status, 200, "who guesses keeps nobody out");
    app.clock.advance(Duration::from_secs(901));
    assert_eq!(app.form("/oauth/token", Some(&right), &[BY_ITSELF]).await.status, 200);
}

#[actix_web::test]
async fn a_secret_is_replaced_at_once_or_after_a_while() {
    let app = TestAuth::start(&configuration()).await;
    let admin = app.staff("root@example.com", "admin").await;
    let (id, first) = app.robot(&[]).await;
    let works =
        async |secret: &str| app.form("/oauth/token", Some(&basic(&id, secret)), &[BY_ITSELF]).await.status == 200;
    let path = format!("/clients/{id}/rotate-secret");
    let rotated = app.call(Method::POST, &path, Some(&admin), Some(json!({"keep_old_for": "1h"}))).await;
    let second = rotated.text("client_secret");
    assert!(works(&first).await && works(&second).await);
    app.clock.advance(Duration::from_hours(1));
    assert!(!works(&first).await && works(&second).await);
    let admin = app.log_in("root@example.com").await.text("access_token");
    let third = app.call(Method::POST, &path, Some(&admin), None).await;
    assert!(!works(&second).await && works(&third.text("client_secret")).await);
    let wrong = app.call(Method::POST, &path, Some(&admin), Some(json!({"keep_old_for": "31d"}))).await;
    assert_eq!(wrong.body["errors"][0]["pointer"], "/keep_old_for");
    let public = CreateClient { public: true, grants: texts(&["device_code"]), ..CreateClient::default() };
    let (public, _) = app.client(public).await;
    let path = format!("/clients/{public}/rotate-secret");
    assert_eq!(app.call(Method::POST, &path, Some(&admin), None).await.code(), "conflict");
}

#[actix_web::test]
async fn everything_is_where_discovery_says() {
    let app = TestAuth::start(&configuration()).await;
    let openid = app.call(Method::GET, "/.well-known/openid-configuration", None, None).await;
    let oauth = app.call(Method::GET, "/.well-known/oauth-authorization-server", None, None).await;
    assert_eq!((openid.status.as_u16(), &openid.body), (200, &oauth.body));
    assert_eq!(openid.header("cache-control"), "public, max-age=300");
    let issuer = "http://127.0.0.1:8000";
    assert_eq!(openid.body["issuer"], issuer);
    for (name, value) in openid.body.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let path = value.as_str().unwrap().strip_prefix(issuer).unwrap();
            let found = app.call(Method::OPTIONS, path, None, None).await;
            assert_ne!(found.status, 404, "{name}");
        }
    }
}
