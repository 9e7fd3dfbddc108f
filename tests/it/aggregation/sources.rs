//! `/data/aggregate` over real backends.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{
    Backend,
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
};

fn source(name: &str, url: &str, rest: &str) -> String {
    format!("[[aggregation.sources]]\nname = \"{name}\"\nurl = \"{url}\"\n{rest}\n")
}

#[rstest]
#[tokio::test]
async fn two_backends_become_one_answer_and_one_may_die(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let users = Backend::answering(&json!({"id": 42, "name": "Ada", "password": "x"})).await;
    let orders = Backend::answering(&json!([{"id": 1}, {"id": 2}])).await;
    let settings = source("user", &format!("{}/users/{{user_id}}", users.url()), "select = \"{id, name}\"")
        + &source("orders", &format!("{}/orders?user={{user_id}}", orders.url()), "timeout = \"1s\"");
    let app = TestApp::builder(topology, store).settings(&settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let path = "/api/data/aggregate?sources=user,orders&user_id=4%2F2";

    app.get(path).send().await.problem(401, "unauthenticated");
    let merged = app.get(path).bearer(&token).send().await.must_be(200).json();
    assert_eq!(merged["data"], json!({"user": {"id": 42, "name": "Ada"}, "orders": [{"id": 1}, {"id": 2}]}));
    assert_eq!(merged["meta"]["complete"], true);
    for name in ["user", "orders"] {
        let told = &merged["meta"]["sources"][name];
        assert_eq!((&told["status"], &told["http_status"]), (&json!("ok"), &json!(200)), "{merged}");
        assert!(told["duration_ms"].is_number(), "{merged}");
    }
    assert_eq!(users.requests().await[0].url.path(), "/users/4%2F2", "an argument stays one segment");
    assert_eq!(orders.requests().await[0].url.query(), Some("user=4%2F2"));

    drop(orders);
    let partial = app.get(path).bearer(&token).send().await.must_be(200).json();
    assert_eq!(partial["data"], json!({"user": {"id": 42, "name": "Ada"}, "orders": null}));
    assert_eq!(partial["meta"]["complete"], false);
    assert_eq!(partial["meta"]["sources"]["orders"]["status"], "error", "{partial}");
    assert_eq!(partial["meta"]["sources"]["user"]["status"], "ok");
}

#[rstest]
#[tokio::test]
async fn sources_run_side_by_side_and_slow_ones_are_cut(#[values(AllInOne, Split)] topology: Topology) {
    let slow = Backend::start().await;
    slow.answer(ResponseTemplate::new(200).set_delay(Duration::from_millis(400)).set_body_json(json!(1))).await;
    let broken = Backend::start().await;
    broken.answer(ResponseTemplate::new(500)).await;
    let settings = source("a", &slow.url(), "")
        + &source("b", &slow.url(), "")
        + &source("late", &slow.url(), "timeout = \"100ms\"")
        + &source("broken", &broken.url(), "")
        + &source("needed", &broken.url(), "required = true")
        + &source("needed_late", &slow.url(), "required = true\ntimeout = \"100ms\"");
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let ask =
        async |sources: &str| app.get(&format!("/api/data/aggregate?sources={sources}")).bearer(&token).send().await;

    let start = std::time::Instant::now();
    let reply = ask("a,b,late,broken").await.must_be(200).json();
    assert!(start.elapsed() < Duration::from_millis(780), "side by side: {:?}", start.elapsed());
    assert_eq!(reply["data"], json!({"a": 1, "b": 1, "late": null, "broken": null}));
    assert_eq!(reply["meta"]["sources"]["late"]["status"], "timeout", "{reply}");
    assert_eq!(reply["meta"]["sources"]["broken"]["status"], "error", "{reply}");
    assert_eq!(reply["meta"]["sources"]["broken"]["http_status"], 500, "{reply}");

    let failed = ask("a,needed").await;
    assert_eq!(failed.status, 502, "{}", failed.text());
    assert_eq!(failed.json()["sources"]["needed"]["status"], "error", "{}", failed.text());
    assert_eq!(ask("needed_late").await.status, 504);
    ask("a,nothing").await.problem(400, "unknown-source");
    assert_eq!(app.get("/api/data/aggregate").bearer(&token).send().await.status, 400);
}

#[tokio::test]
async fn numbers_and_order_survive() {
    let backend = Backend::start().await;
    let text = r#"{"z":1.10,"a":12345678901234567890123,"m":{"y":1,"x":2},"e":1e2}"#;
    backend.answer(ResponseTemplate::new(200).set_body_raw(text, "application/json")).await;
    let app = TestApp::simple().settings(&source("s", &backend.url(), "")).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let reply = app.get("/api/data/aggregate?sources=s").bearer(&token).send().await.must_be(200);
    assert!(reply.text().contains(text), "{}", reply.text());
}

#[tokio::test]
async fn what_is_configured_is_listed() {
    let backend = Backend::answering(&json!({})).await;
    let settings = source("profile", &format!("{}/users/{{user_id}}", backend.url()), "")
        + "[[aggregation.endpoints]]\npath = \"/card/{user_id}\"\n\
           steps = [{ source = \"profile\", with = { user_id = \".path.user_id\" } }]\n";
    let app = TestApp::simple().settings(&settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    for (path, word) in [("/api/data/sources", "profile"), ("/api/data/endpoints", "/card/{user_id}")] {
        app.get(path).send().await.problem(401, "unauthenticated");
        let listed = app.get(path).bearer(&token).send().await.must_be(200).text();
        assert!(listed.contains(word) && listed.contains("user_id"), "{listed}");
        assert!(!listed.contains(&backend.url()), "where a source lives is nobody's business: {listed}");
    }
}

#[rstest]
#[tokio::test]
async fn one_caller_s_failing_sources_do_not_close_the_role_to_others(#[values(AllInOne, Split)] topology: Topology) {
    let broken = Backend::start().await;
    broken.answer(ResponseTemplate::new(500)).await;
    let good = Backend::answering(&json!(1)).await;
    let settings = source("needed", &broken.url(), "required = true\nbreaker = { failures = 1000 }")
        + &source("good", &good.url(), "");
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    for _ in 0..8 {
        let failed = app.get("/api/data/aggregate?sources=needed").bearer(&token).send().await;
        let problem = failed.problem(502, "source-failed");
        assert_eq!(problem["instance"], "/api/data/aggregate", "the client's path, wherever the role runs");
    }
    app.get("/api/data/aggregate?sources=good").bearer(&token).send().await.must_be(200);
}
