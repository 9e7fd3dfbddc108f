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

#[tokio::test]
async fn upstreams_that_come_by_a_reload_are_followed_and_those_that_go_are_not() {
    let redis = Redis::start();
    let backend = Backend::start().await;
    backend.answer(ResponseTemplate::new(503)).await;
    let breaker = "breaker = { failures = 3, window = \"30s\", open_for = \"60s\" }";
    let without = format!("[gateway]\nrate_limit = false\n[redis]\nurl = \"{}\"\n", redis.url());
    let with = format!("{}\n[redis]\nurl = \"{}\"\n", super::upstream(&backend.url(), breaker, ""), redis.url());
    let app = TestApp::simple().settings(&without).start_twins().await;
    let listening = async || redis.command(&["PUBSUB", "NUMSUB", "vestibule:breakers"]).ends_with('2').then_some(());
    assert!(eventually(Duration::from_secs(5), listening).await.is_some(), "both listen");
    let ask = async |instance: &str| app.call_role(instance, Method::GET, "/u/x").send().await;
    // Tells whether a configuration is in effect, without asking the upstream.
    let marker = "[[gateway.routes]]\nname = \"marker\"\npath = \"/marker\"\nupstream = \"auth\"\nrewrite = \"/.well-known/jwks.json\"\n";
    let with = format!("{with}{marker}");
    let both_take = async |settings: &str| {
        std::fs::write(app.directory().join("next"), settings).unwrap();
        std::fs::rename(app.directory().join("next"), app.directory().join("test.toml")).unwrap();
        let status = if settings.contains("/marker") { 200 } else { 404 };
        for instance in ["all", "twin"] {
            let taken = async || {
                let reply = app.call_role(instance, Method::GET, "/marker").send().await;
                (reply.status == status).then_some(())
            };
            assert!(eventually(Duration::from_secs(10), taken).await.is_some(), "{}", app.logs());
        }
    };

    both_take(&with).await;
    for _ in 0..3 {
        assert_eq!(ask("all").await.status, 503);
    }
    let told = async || ask("twin").await.text().contains("circuit-open").then_some(());
    assert!(eventually(Duration::from_secs(2), told).await.is_some(), "the twin is told of the new one");

    both_take(&without).await;
    let heard = |name: &str| {
        let logs = app.logs();
        let lines = logs.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.filter(|line| line["event"] == "circuit_breaker_told" && line["upstream"] == name).count()
    };
    let until: i64 = 4_000_000_000_000;
    let before = heard("u");
    redis.command(&["PUBLISH", "vestibule:breakers", &format!("1 {until} u")]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(heard("u"), before, "nobody follows the one that is gone");
    // The same name again is another upstream, and is followed again.
    both_take(&with).await;
    assert!(!ask("all").await.text().contains("circuit-open"));
    redis.command(&["PUBLISH", "vestibule:breakers", &format!("1 {until} u")]);
    let told = async || ask("all").await.text().contains("circuit-open").then_some(());
    assert!(eventually(Duration::from_secs(2), told).await.is_some(), "{}", app.logs());
}
