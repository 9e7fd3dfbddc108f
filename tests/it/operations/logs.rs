//! Log lines: one JSON object each, with the keys of the contract and never a secret.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
    eventually,
};

#[rstest]
#[tokio::test]
async fn every_line_is_json_and_keeps_secrets(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).settings("[log]\nlevel = \"debug\"").start().await;
    let ada = app.register("ada@example.org").await;
    let mail_token = app.mailbox.token_for(&ada.email).await;
    app.verify(&ada).await;
    let session = app.login(&ada).await;
    app.get("/auth/me?token=in-the-query")
        .bearer(&session.access_token)
        .header("x-request-id", "find-me")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("user-agent", "quote\" and \u{e9}")
        .send()
        .await
        .must_be(200);
    let wrong = json!({"email": ada.email, "password": "a wrong passphrase"});
    app.post("/auth/login").json(&wrong).send().await.must_be(401);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;

    let logs = app.logs();
    let lines: Vec<Value> =
        logs.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}"))).collect();
    assert!(!lines.is_empty());
    for line in &lines {
        for key in ["timestamp", "level", "service", "event"] {
            assert!(line[key].is_string(), "{key} in {line}");
        }
    }
    let traced = |line: &&Value| {
        line["request_id"] == "find-me"
            && line["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
            && line["level"] == "info"
    };
    let access: Vec<_> = lines.iter().filter(traced).collect();
    let expected = if topology == Split { 2 } else { 1 };
    assert_eq!(access.len(), expected, "each process leaves one line a request: {access:#?}");
    assert_ne!(access[0]["span_id"], "00f067aa0ba902b7");

    for secret in [
        &ada.password,
        "a wrong passphrase",
        &session.access_token,
        &session.refresh_token,
        session.access_token.rsplit('.').next().unwrap(),
        &mail_token,
        "in-the-query",
    ] {
        assert!(!logs.contains(secret), "{secret} is in the logs");
    }
}

#[tokio::test]
async fn of_so_many_good_answers_one_leaves_a_line_and_of_bad_ones_all() {
    let settings = "[server]\nworkers = 1\n[log]\nsample = 5\n[gateway]\nrate_limit = false";
    let app = TestApp::simple().settings(settings).start().await;
    let of = |logs: &str, path: &str| {
        let lines = logs.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == "request" && line["path"] == path).count()
    };
    for _ in 0..20 {
        app.get("/.well-known/jwks.json").send().await.must_be(200);
    }
    for _ in 0..7 {
        app.get("/nothing").send().await.must_be(404);
        app.get("/auth/me").send().await.must_be(401);
    }
    let written = async || (of(&app.logs(), "/auth/me") == 7).then_some(());
    assert!(eventually(std::time::Duration::from_secs(5), written).await.is_some(), "{}", app.logs());
    let logs = app.logs();
    assert_eq!((of(&logs, "/.well-known/jwks.json"), of(&logs, "/nothing")), (4, 7));
    let metrics = app.get("/metrics").send().await.text();
    let counted = metrics.lines().find(|line| line.starts_with("http_requests_total") && line.contains("jwks"));
    assert!(counted.is_some_and(|line| line.ends_with(" 20")), "metrics count all: {counted:?}");
}
