//! The cache at the front door: placed anywhere, purged by who may, and shared by instances through Redis.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::upstream;
use crate::support::{
    Backend, Redis, Reply,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
    User, command, eventually,
};

const CACHED: &str = "cache = { ttl = \"1m\", stale_if_error = \"1m\" }";

/// The token of an administrator.
async fn administrator(app: &TestApp) -> String {
    let root = User { email: "root@example.org".to_owned(), password: "correct horse battery staple".to_owned() };
    let mut create = command(app.directory());
    create.args(["user", "create", &root.email, "--password", &root.password, "--role", "admin"]);
    let made = create.args(["--config", "harness.toml", "--config", "test.toml"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    app.login(&root).await.access_token
}

async fn tagged() -> Backend {
    let backend = Backend::start().await;
    let answer = ResponseTemplate::new(200).insert_header("cache-tag", "all").insert_header("etag", "\"one\"");
    backend.answer(answer.set_body_string("one")).await;
    backend
}

#[rstest]
#[tokio::test]
async fn answers_are_kept_and_purged(#[values(AllInOne, Split)] topology: Topology) {
    let backend = tagged().await;
    let settings = upstream(&backend.url(), "", CACHED);
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    for _ in 0..3 {
        assert_eq!(app.get("/u/a?b=c").send().await.must_be(200).text(), "one");
    }
    assert_eq!(backend.requests().await.len(), 1);
    let kept = app.get("/u/a?b=c").send().await;
    assert!(kept.header("age").is_some());
    assert!(kept.header("cache-status").is_some_and(|line| line.starts_with("vestibule; hit; ttl=")), "{kept:?}");
    assert!(kept.header("x-request-id").is_some(), "and all that every answer carries");
    app.get("/u/a?b=c").header("if-none-match", "\"one\"").send().await.must_be(304);

    let admin = administrator(&app).await;
    let user = app.session_of("ada@example.org").await.access_token;
    app.get("/admin/cache").bearer(&user).send().await.problem(403, "forbidden");
    let state = app.get("/admin/cache").bearer(&admin).send().await.must_be(200).json();
    assert_eq!((&state["urls"], &state["hits"], &state["shared"]), (&json!(1), &json!(4), &json!(false)), "{state}");

    for body in [
        json!({"key": format!("{}/u/a?b=c", app.url)}),
        json!({"tag": "all"}),
        json!({"prefix": app.url}),
        json!({"all": true}),
    ] {
        let before = backend.requests().await.len();
        app.post("/admin/cache/purge").bearer(&user).json(&body).send().await.problem(403, "forbidden");
        app.get("/u/a?b=c").send().await.must_be(200);
        assert_eq!(backend.requests().await.len(), before, "{body}");
        let purged = app.post("/admin/cache/purge").bearer(&admin).json(&body).send().await.must_be(200).json();
        assert_eq!(purged, json!({"purged": 1}), "{body}");
        app.get("/u/a?b=c").send().await.must_be(200);
        assert_eq!(backend.requests().await.len(), before + 1, "{body}");
    }
    let two = json!({"tag": "all", "all": true});
    app.post("/admin/cache/purge").bearer(&admin).json(&two).send().await.problem(422, "validation-failed");

    let metrics = app.get("/metrics").send().await.text();
    for line in [
        "cache_operations_total{cache=\"gateway\",result=\"hit\"}",
        "cache_operations_total{cache=\"gateway\",result=\"miss\"}",
        "cache_evictions_total{cache=\"gateway\"} 0",
        "cache_hit_ratio{cache=\"gateway\"} 0.",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn what_is_kept_stands_in_for_an_upstream_that_is_gone() {
    let backend = Backend::start().await;
    let answer = ResponseTemplate::new(200).insert_header("cache-control", "max-age=0, stale-if-error=60");
    backend.answer(answer.set_body_string("kept")).await;
    let app = TestApp::simple().settings(&upstream(&backend.url(), "", CACHED)).start().await;
    app.get("/u/a").send().await.must_be(200);
    drop(backend);
    for _ in 0..8 {
        let reply = app.get("/u/a").send().await.must_be(200);
        assert_eq!((reply.text().as_str(), reply.header("age").is_some()), ("kept", true));
        assert!(reply.header("cache-status").is_some_and(|line| line.contains("detail=upstream-failed")));
    }
    assert!(app.get("/u/b").send().await.status >= 502);
}

/// Two instances that share a Redis and an upstream.
async fn twins(redis: &Redis, backend: &Backend) -> TestApp {
    let settings = format!("[redis]\nurl = \"{}\"\n{}", redis.url(), upstream(&backend.url(), "", CACHED));
    TestApp::simple().settings(&settings).start_twins().await
}

/// A GET at the second instance, for the URL that the first one is asked for.
async fn at_twin(app: &TestApp, path: &str) -> Reply {
    let host = app.url.trim_start_matches("http://");
    app.call_role("twin", Method::GET, path).header("host", host).send().await
}

#[tokio::test]
async fn instances_share_what_they_keep_and_forget_together() {
    let (redis, backend) = (Redis::start(), tagged().await);
    let app = twins(&redis, &backend).await;
    for path in ["/u/a", "/u/b"] {
        app.get(path).send().await.must_be(200);
        let shared = async || (at_twin(&app, path).await.header("age").is_some()).then_some(());
        assert!(eventually(Duration::from_secs(5), shared).await.is_some(), "the twin has it");
    }
    assert!(backend.requests().await.len() <= 4);

    // A change at one instance is heard at the other.
    for at_first in [true, false] {
        app.get("/u/a").send().await.must_be(200);
        at_twin(&app, "/u/a").await.must_be(200);
        let change = if at_first {
            app.post("/u/a")
        } else {
            let host = app.url.trim_start_matches("http://");
            app.call_role("twin", Method::POST, "/u/a").header("host", host)
        };
        change.send().await.must_be(200);
        let before = backend.requests().await.len();
        tokio::time::sleep(Duration::from_millis(500)).await;
        app.get("/u/a").send().await.must_be(200);
        assert_eq!(backend.requests().await.len(), before + 1);
        let kept = at_twin(&app, "/u/b").await;
        assert!(kept.header("age").is_some(), "the others stay");
    }

    let admin = administrator(&app).await;
    app.get("/u/b").send().await.must_be(200);
    app.post("/admin/cache/purge").bearer(&admin).json(&json!({"tag": "all"})).send().await.must_be(200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = backend.requests().await.len();
    at_twin(&app, "/u/b").await.must_be(200);
    assert_eq!(backend.requests().await.len(), before + 1, "neither the twin nor Redis gives it any more");
}

#[tokio::test]
async fn without_redis_each_goes_on_with_its_own() {
    let (redis, backend) = (Redis::start(), tagged().await);
    let app = twins(&redis, &backend).await;
    app.get("/u/a").send().await.must_be(200);
    redis.command(&["CLIENT", "PAUSE", "3000"]);
    let started = std::time::Instant::now();
    for path in ["/u/a", "/u/slow", "/u/slow"] {
        app.get(path).send().await.must_be(200);
    }
    assert!(started.elapsed() < Duration::from_millis(1500), "a slow Redis is not waited for: {:?}", started.elapsed());
    drop(redis);
    for number in 0..20 {
        app.get("/u/a").send().await.must_be(200);
        app.get(&format!("/u/{number}")).send().await.must_be(200);
        app.post(&format!("/u/{number}")).send().await.must_be(200);
    }
    let before = backend.requests().await.len();
    let kept = app.get("/u/a").send().await;
    assert!(kept.header("age").is_some() && backend.requests().await.len() == before);
    assert!(!app.logs().contains("\"level\":\"ERROR\""));
}
