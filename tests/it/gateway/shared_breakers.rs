//! A breaker that opens at one instance opens at its twin.

use std::time::Duration;

use reqwest::Method;
use wiremock::ResponseTemplate;

use crate::support::{Backend, Redis, TestApp, eventually};

#[tokio::test]
async fn a_breaker_that_opens_here_opens_at_the_twin_and_without_redis_it_does_not() {
    let mut redis = Redis::start();
    let backend = Backend::start().await;
    backend.answer(ResponseTemplate::new(503)).await;
    let breaker = "breaker = { failures = 3, window = \"30s\", open_for = \"2s\" }";
    let settings = format!("{}\n[redis]\nurl = \"{}\"\n", super::upstream(&backend.url(), breaker, ""), redis.url());
    let app = TestApp::simple().settings(&settings).start_twins().await;
    let listening = async || redis.command(&["PUBSUB", "NUMSUB", "vestibule:breakers"]).ends_with('2').then_some(());
    assert!(eventually(Duration::from_secs(5), listening).await.is_some(), "both listen");

    for _ in 0..3 {
        assert_eq!(app.get("/u/x").send().await.status, 503);
    }
    app.get("/u/x").send().await.problem(503, "circuit-open");
    let told = async || {
        let reply = app.call_role("twin", Method::GET, "/u/x").send().await;
        reply.text().contains("circuit-open").then_some(())
    };
    let before = backend.requests().await.len();
    assert!(eventually(Duration::from_secs(1), told).await.is_some(), "the twin is told");
    assert!(backend.requests().await.len() <= before + 2, "it did not have to find out");
    // After the pause it tries for itself.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tried = app.call_role("twin", Method::GET, "/u/x").send().await;
    assert!(!tried.text().contains("circuit-open"), "{}", tried.text());

    redis.kill();
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Half open both: a probe fails at one, and the other still tries for itself.
    app.get("/u/x").send().await;
    app.get("/u/x").send().await.problem(503, "circuit-open");
    let alone = app.call_role("twin", Method::GET, "/u/x").send().await;
    assert!(!alone.text().contains("circuit-open"), "{}", alone.text());
}
