//! Processes of one installation know each other by their secret.

use std::time::Duration;

use reqwest::Method;

use crate::support::{Store::Sqlite, TestApp, Topology::Split, eventually};

const SECRET: &str =
    "[services]\nsecret = \"the same thirty-two bytes for all of them\"\n[gateway]\nrate_limit = false\n";

/// The client addresses in the log of `auth`, for a path. A line may come a little after its answer.
async fn addresses(app: &mut TestApp, path: &str) -> Vec<String> {
    let mut told = || {
        let log = app.process("auth").log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let lines = lines.filter(|line| line["event"] == "request" && line["path"] == path);
        let addresses: Vec<_> = lines.map(|line| line["client_ip"].as_str().unwrap().to_owned()).collect();
        (!addresses.is_empty()).then_some(addresses)
    };
    eventually(Duration::from_secs(3), async || told()).await.unwrap_or_default()
}

#[tokio::test]
async fn a_stranger_is_no_sibling() {
    let mut app = TestApp::builder(Split, Sqlite).settings(SECRET).start().await;
    // The verifier of the gateway is fed by `auth`, so a session that works shows that siblings are answered.
    let token = app.session_of("ada@example.org").await.access_token;
    app.get("/api/data/sources").bearer(&token).send().await.must_be(200);
    let digest = "0".repeat(64);
    for path in ["/internal/auth/revocations", &format!("/internal/auth/api-keys/{digest}")] {
        app.call_role("auth", Method::GET, path).send().await.problem(403, "forbidden");
        let forged = app.call_role("auth", Method::GET, path).header("x-vestibule-assertion", "a.b.c").send().await;
        forged.problem(403, "forbidden");
        app.get(path).send().await.problem(404, "no-route");
    }
    let encoded = app.call_role("auth", Method::GET, "/%69nternal/auth/revocations").send().await;
    assert!(matches!(encoded.status, 403 | 404), "{}", encoded.text());
    app.get("/health").send().await.must_be(200);
    // What the gateway says of a client is believed, whoever the proxy before it is; what a stranger says is not.
    let told = |call: crate::support::Call| call.header("x-forwarded-for", "192.0.2.77").send();
    told(app.get("/auth/me")).await.must_be(401);
    told(app.call_role("auth", Method::GET, "/auth/sessions")).await.must_be(401);
    let own = app.url.trim_start_matches("http://").split(':').next().unwrap().to_owned();
    assert_eq!(addresses(&mut app, "/auth/me").await, ["192.0.2.77"]);
    let seen = addresses(&mut app, "/auth/sessions").await;
    assert!(seen.len() == 1 && seen[0] != "192.0.2.77", "{seen:?} beside {own}");
}

#[tokio::test]
async fn a_secret_changes_without_a_pause() {
    let mut app = TestApp::builder(Split, Sqlite).settings(SECRET).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let next = SECRET.replace(
        "secret = \"the same thirty-two bytes for all of them\"",
        "secret = \"another thirty-two bytes for all of them\"\nprevious_secrets = [\"the same thirty-two bytes for all of them\"]",
    );
    std::fs::write(app.directory().join("test.toml"), next).unwrap();
    // The role first, then those that call it.
    for role in ["auth", "gateway"] {
        app.process(role).kill_dash_nine();
        app.process(role).start();
        app.process(role).ready(Duration::from_secs(20)).await;
        app.get("/auth/me").bearer(&token).send().await.must_be(200);
        app.get("/api/data/sources").bearer(&token).send().await.must_be(200);
    }
}

#[tokio::test]
async fn clients_cannot_bring_an_assertion() {
    let raw = crate::support::RawUpstream::start(crate::support::Manner::Say(
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(),
    ))
    .await;
    let settings =
        SECRET.replace("[gateway]\nrate_limit = false\n", "") + &super::super::gateway::upstream(&raw.url(), "", "");
    let app = TestApp::simple().settings(&settings).start().await;
    for name in ["x-vestibule-assertion", "X_Vestibule.Assertion"] {
        app.get("/u/x").header(name, "mine").send().await.must_be(200);
    }
    let heads = raw.heads().join("\n").to_ascii_lowercase();
    assert!(!heads.contains("assertion"), "{heads}");
}
