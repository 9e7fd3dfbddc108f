//! API keys at the front door: what they open, what they do not, and how they end.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    Backend, Reply,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    eventually,
};

/// A route for each kind of caller, to one upstream.
fn routes(url: &str) -> String {
    let route = |name: &str, more: &str| {
        format!("[[gateway.routes]]\nname = \"{name}\"\npath = \"/{name}\"\nupstream = \"u\"\n{more}\n")
    };
    [
        format!("[[gateway.upstreams]]\nname = \"u\"\ntargets = [{{ url = \"{url}\" }}]\n"),
        route("open", ""),
        route("optional", "auth = \"optional\""),
        route("members", "auth = \"required\""),
        route("readers", "auth = \"required\"\nscopes = [\"users:read\"]"),
        route("writers", "auth = \"required\"\nscopes = [\"users:write\"]"),
        route("admins", "auth = \"required\"\nroles = [\"admin\"]"),
        route("counted", "auth = \"required\"\nrate_limit = { limit = \"2/hour\", per = \"api_key\" }"),
    ]
    .concat()
}

/// A running application whose administrator is logged in.
async fn with_admin(topology: Topology, store: Store, settings: &str) -> (TestApp, String) {
    let app = TestApp::builder(topology, store).settings(settings).start().await;
    let token = admin(&app).await;
    (app, token)
}

async fn admin(app: &TestApp) -> String {
    let arguments = ["user", "create", "root@example.org", "--password", "correct horse battery staple", "--role"];
    let done = crate::support::command(app.directory())
        .args(arguments)
        .args(["admin,user", "--config", "harness.toml"])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let user = crate::support::User {
        email: "root@example.org".to_owned(),
        password: "correct horse battery staple".to_owned(),
    };
    app.login(&user).await.access_token
}

async fn make(app: &TestApp, token: &str, scopes: Value) -> (String, String) {
    let body = json!({"name": "export", "scopes": scopes});
    let made = app.post("/auth/api-keys").bearer(token).json(&body).send().await.must_be(201);
    let body = made.json();
    (made.header("location").unwrap().to_owned(), body["key"].as_str().unwrap().to_owned())
}

async fn with(app: &TestApp, path: &str, key: &str) -> Reply {
    app.get(path).header("x-api-key", key).send().await
}

#[rstest]
#[tokio::test]
async fn a_key_opens_what_its_scopes_name_and_never_leaves(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let backend = Backend::answering(&json!({})).await;
    let settings = format!("[gateway]\nrate_limit = false\n{}", routes(&backend.url()));
    let (app, token) = with_admin(topology, store, &settings).await;
    let me = app.get("/auth/me").bearer(&token).send().await.must_be(200).json();
    let (location, key) = make(&app, &token, json!(["users:read"])).await;
    for (path, status) in
        [("/open", 200), ("/optional", 200), ("/members", 200), ("/readers", 200), ("/writers", 403), ("/admins", 403)]
    {
        assert_eq!(with(&app, path, &key).await.status, status, "{path}");
    }
    let requests = backend.requests().await;
    assert!(requests.iter().all(|request| !request.headers.contains_key("x-api-key")), "it never reaches an upstream");
    let told = requests.last().unwrap();
    let header = |name: &str| told.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("x-user-id"), me["id"].as_str().map(str::to_owned));
    assert_eq!(header("x-user-email").as_deref(), Some("root@example.org"));
    assert_eq!(header("x-user-scopes").as_deref(), Some("users:read"));
    assert_eq!(header("x-user-roles").as_deref(), Some("user"), "it may not do all that an admin may");

    // Roles take it as well, but it does not manage the account that it belongs to.
    with(&app, "/api/data/sources", &key).await.must_be(200);
    for (method, path) in
        [(Method::GET, "/auth/api-keys"), (Method::POST, "/auth/api-keys"), (Method::GET, "/auth/sessions")]
    {
        let body = json!({"name": "more", "scopes": []});
        let call = app.call(method.clone(), path).header("x-api-key", &key);
        let call = if method == Method::POST { call.json(&body) } else { call };
        call.send().await.problem(403, "forbidden");
    }

    let forged = format!("vk_{}", "0".repeat(72));
    let unknown = "vk_00000000000000000000000000000000000000000000000000000000000000009543e33d";
    for wrong in [forged.as_str(), unknown, "vk_", "something else"] {
        for path in ["/members", "/optional", "/api/data/sources"] {
            let reply = with(&app, path, wrong).await;
            reply.problem(401, "unauthenticated");
            assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"), "{reply:?}");
        }
    }
    app.get("/members").bearer(&token).header("x-api-key", &key).send().await.problem(401, "unauthenticated");

    let shown = app.get(&location).bearer(&token).send().await.must_be(200).json();
    assert!(shown["last_used_at"].is_string() && shown.get("key").is_none(), "{shown}");
    assert!(!app.logs().contains(&key), "the key is in no log");
}

#[rstest]
#[tokio::test]
async fn a_key_that_is_revoked_stops_everywhere_within_a_second(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let backend = Backend::answering(&json!({})).await;
    let settings = format!("[gateway]\nrate_limit = false\n{}", routes(&backend.url()));
    let (app, token) = with_admin(topology, store, &settings).await;
    let (location, key) = make(&app, &token, json!([])).await;
    with(&app, "/members", &key).await.must_be(200);
    with(&app, "/api/data/sources", &key).await.must_be(200);
    app.call(Method::DELETE, &location).bearer(&token).send().await.must_be(204);
    for path in ["/members", "/api/data/sources"] {
        let refused = async || (with(&app, path, &key).await.status == 401).then_some(());
        assert!(eventually(Duration::from_secs(1), refused).await.is_some(), "{path}");
    }
    app.call(Method::DELETE, &location).bearer(&token).send().await.must_be(404);
}

#[rstest]
#[tokio::test]
async fn a_key_that_is_revoked_at_one_instance_stops_at_its_twin(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings("[gateway]\nrate_limit = false").start_twins().await;
    let token = admin(&app).await;
    let (location, key) = make(&app, &token, json!([])).await;
    let at_twin = async || {
        let call = app.call_role("twin", Method::GET, "/api/data/sources").header("x-api-key", &key);
        call.send().await.status
    };
    assert_eq!(at_twin().await, 200);
    app.call(Method::DELETE, &location).bearer(&token).send().await.must_be(204);
    let refused = async || (at_twin().await == 401).then_some(());
    assert!(eventually(Duration::from_secs(1), refused).await.is_some());
}

#[rstest]
#[tokio::test]
async fn the_keys_of_a_suspended_user_stop_within_a_second_and_come_back(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let backend = Backend::answering(&json!({})).await;
    let settings = format!("[gateway]\nrate_limit = false\n{}", routes(&backend.url()));
    let (app, root) = with_admin(topology, store, &settings).await;
    let ada = app.session_of("ada@example.org").await.access_token;
    let id = app.get("/auth/me").bearer(&ada).send().await.must_be(200).json()["id"].as_str().unwrap().to_owned();
    let (_, key) = make(&app, &ada, json!([])).await;
    let becomes = async |status: u16, within: Duration| {
        eventually(within, async || (with(&app, "/members", &key).await.status == status).then_some(())).await.is_some()
    };
    assert!(becomes(200, Duration::ZERO).await);
    app.post(&format!("/users/{id}/suspend")).bearer(&root).send().await;
    assert!(becomes(401, Duration::from_secs(1)).await, "suspended");
    app.post(&format!("/users/{id}/activate")).bearer(&root).send().await;
    assert!(becomes(200, Duration::from_secs(5)).await, "activated");
    app.call(Method::DELETE, &format!("/users/{id}")).bearer(&root).send().await.must_be(204);
    assert!(becomes(401, Duration::from_secs(1)).await, "deleted");
}

#[rstest]
#[tokio::test]
async fn keys_are_counted_apart_and_unknown_ones_by_their_address(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({})).await;
    let settings = format!("[gateway]\nrate_limit = false\n{}", routes(&backend.url()));
    let (app, token) = with_admin(topology, Sqlite, &settings).await;
    let ((_, one), (_, two)) = (make(&app, &token, json!([])).await, make(&app, &token, json!([])).await);
    for key in [&one, &two] {
        for status in [200, 200, 429] {
            assert_eq!(with(&app, "/counted", key).await.status, status);
        }
    }
    // Guessing is limited, whatever is guessed.
    let statuses = [with(&app, "/counted", "vk_1").await.status, with(&app, "/counted", "vk_2").await.status];
    assert_eq!((statuses, with(&app, "/counted", "vk_3").await.status), ([401, 401], 429));
}

#[tokio::test]
async fn without_auth_no_unremembered_key_is_accepted() {
    let backend = Backend::answering(&json!({})).await;
    let settings = format!("[gateway]\nrate_limit = false\n{}", routes(&backend.url()));
    let (mut app, token) = with_admin(Split, Sqlite, &settings).await;
    let (_, key) = make(&app, &token, json!([])).await;
    app.process("auth").kill_dash_nine();
    let reply = with(&app, "/members", &key).await;
    reply.problem(503, "unavailable");
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    assert_eq!(with(&app, "/open", &key).await.status, 200, "who asks for nothing is not kept waiting");
}
