//! What OAuth clients get for themselves, from outside: every grant's faults, revocation, introspection, discovery.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    Call, Reply,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
    command,
};

/// A client's id and secret.
struct Credentials {
    id: String,
    secret: String,
}

impl Credentials {
    fn basic(&self) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }
}

/// A client, registered beside the running server.
fn client(app: &TestApp, arguments: &[&str]) -> Credentials {
    let mut command = command(app.directory());
    command.args(["client", "create", "--config", "harness.toml", "--format", "json"]).args(arguments);
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let made: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    Credentials { id: text("client_id"), secret: text("client_secret") }
}

fn form(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Call {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+")));
    app.post(path).body("application/x-www-form-urlencoded", pairs.collect::<Vec<_>>().join("&"))
}

const BY_ITSELF: (&str, &str) = ("grant_type", "client_credentials");

#[track_caller]
fn must_refuse(reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status, reply.json()["error"].as_str()), (status, Some(error)), "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[rstest]
#[tokio::test]
async fn a_machine_works_with_a_token_of_its_own(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).settings("[gateway]\nrate_limit = false").start().await;
    let robot = client(&app, &["--name", "Robot", "--grant", "client_credentials", "--scope", "clients:read"]);
    let basic = robot.basic();
    let token = form(&app, "/oauth/token", &[BY_ITSELF]).header("authorization", &basic).send().await.must_be(200);
    assert_eq!((token.header("cache-control"), token.header("pragma")), (Some("no-store"), Some("no-cache")));
    let body = token.json();
    assert_eq!((&body["token_type"], &body["scope"]), (&json!("Bearer"), &json!("clients:read")));
    assert!(body.get("refresh_token").is_none());
    let access = body["access_token"].as_str().unwrap().to_owned();
    let listed = app.get("/clients").bearer(&access).send().await.must_be(200).json();
    assert_eq!(listed["items"][0]["client_id"], robot.id);
    app.call(reqwest::Method::DELETE, &format!("/clients/{}", robot.id)).bearer(&access).send().await.must_be(403);

    let in_form = [BY_ITSELF, ("client_id", robot.id.as_str()), ("client_secret", robot.secret.as_str())];
    form(&app, "/oauth/token", &in_form).send().await.must_be(200);
    for (fields, status, error) in [
        (&[("grant_type", "password")][..], 400, "unsupported_grant_type"),
        (&[BY_ITSELF, BY_ITSELF], 400, "invalid_request"),
        (&[BY_ITSELF, ("scope", "clients:write")], 400, "invalid_scope"),
        (&[BY_ITSELF, ("resource", "https://elsewhere.example")], 400, "invalid_target"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "x")], 400, "unauthorized_client"),
        (&[], 400, "invalid_request"),
    ] {
        must_refuse(&form(&app, "/oauth/token", fields).header("authorization", &basic).send().await, status, error);
    }
    let stranger = form(&app, "/oauth/token", &in_form[..2]).send().await;
    must_refuse(&stranger, 401, "invalid_client");
    assert!(stranger.header("www-authenticate").unwrap().starts_with("Basic "));
    must_refuse(&app.post("/oauth/token").json(&json!({})).send().await, 415, "invalid_request");

    let ask = || form(&app, "/oauth/introspect", &[("token", access.as_str())]).header("authorization", &basic).send();
    let state = ask().await.must_be(200).json();
    assert_eq!((&state["active"], &state["sub"], &state["iss"]), (&json!(true), &json!(robot.id), &json!(app.url)));
    let revoke = form(&app, "/oauth/revoke", &[("token", access.as_str())]).header("authorization", &basic);
    revoke.send().await.must_be(200);
    assert_eq!(ask().await.json(), json!({"active": false}));
    // The gateway of a split application learns of it by the feed.
    let mut refused = 0;
    for _ in 0..50 {
        refused = app.get("/clients").bearer(&access).send().await.status;
        if refused == 401 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(refused, 401, "within a second");
}

#[rstest]
#[tokio::test]
async fn a_revoked_token_stops_at_the_twin_within_a_second(#[values(Sqlite, Postgres)] store: Store) {
    let app = TestApp::builder(AllInOne, store).settings("[gateway]\nrate_limit = false").start_twins().await;
    let robot = client(&app, &["--name", "Robot", "--scope", "clients:read"]);
    let token = form(&app, "/oauth/token", &[BY_ITSELF]).header("authorization", &robot.basic()).send().await;
    let access = token.must_be(200).json()["access_token"].as_str().unwrap().to_owned();
    let at_twin = || app.call_role("twin", reqwest::Method::GET, "/clients").bearer(&access).send();
    at_twin().await.must_be(200);
    let revoke = form(&app, "/oauth/revoke", &[("token", access.as_str())]).header("authorization", &robot.basic());
    revoke.send().await.must_be(200);
    let since = std::time::Instant::now();
    while at_twin().await.status != 401 {
        assert!(since.elapsed().as_millis() < 1_000, "it still works");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[rstest]
#[tokio::test]
async fn discovery_names_what_is_there(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).settings("[gateway]\nrate_limit = false").start().await;
    let found = app.get("/.well-known/openid-configuration").send().await.must_be(200);
    let metadata = found.json();
    assert_eq!(metadata, app.get("/.well-known/oauth-authorization-server").send().await.must_be(200).json());
    assert_eq!(metadata["issuer"], app.url);
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let path = value.as_str().unwrap().strip_prefix(&app.url).unwrap().to_owned();
            assert_ne!(app.call(reqwest::Method::PATCH, &path).send().await.status, 404, "{name}");
        }
    }
}
