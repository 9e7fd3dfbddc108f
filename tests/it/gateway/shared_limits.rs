//! Limits that instances share through Redis, and what becomes of them without it.

use std::time::{Duration, Instant};

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::{Backend, Redis, TestApp, eventually};

/// Twins behind one Redis, with a route that has these limits.
async fn twins(redis: &Redis, backend: &Backend, rate_limit: &str) -> TestApp {
    let route = format!("rate_limit = {rate_limit}");
    let settings = format!("{}\n[redis]\nurl = \"{}\"\n", super::upstream(&backend.url(), "", &route), redis.url());
    let app = TestApp::simple().settings(&settings).start_twins().await;
    both_ask(&app, redis).await;
    app
}

/// Waits until each instance asks Redis about its requests.
async fn both_ask(app: &TestApp, redis: &Redis) {
    let asked = || {
        let stats = redis.command(&["INFO", "commandstats"]);
        stats.lines().find_map(|line| calls(line, "cmdstat_evalsha:")).unwrap_or_default()
    };
    for instance in ["all", "twin"] {
        // Once could be a connection that is being made.
        let asks = async || {
            for _ in 0..2 {
                let before = asked();
                ask(app, instance, "198.51.100.99").await;
                if asked() == before {
                    return None;
                }
            }
            Some(())
        };
        assert!(eventually(Duration::from_secs(10), asks).await.is_some(), "{instance} asks Redis: {}", app.logs());
    }
}

/// How often a command was called, by a line of `INFO commandstats`.
fn calls(line: &str, name: &str) -> Option<u64> {
    line.strip_prefix(name)?.strip_prefix("calls=")?.split(',').next()?.parse().ok()
}

async fn backend() -> Backend {
    Backend::answering(&json!({"ok": true})).await
}

/// One request of a client at an instance.
async fn ask(app: &TestApp, instance: &str, client: &str) -> crate::support::Reply {
    app.call_role(instance, Method::GET, "/u/x").header("x-forwarded-for", client).send().await
}

/// How many of so many requests pass, sent to both in turn; nothing but 200 and 429 is answered.
async fn passing(app: &TestApp, client: &str, requests: usize) -> usize {
    let mut passed = 0;
    for number in 0..requests {
        let status = ask(app, ["all", "twin"][number % 2], client).await.status;
        assert!(matches!(status, 200 | 429), "{status}");
        passed += usize::from(status == 200);
    }
    passed
}

#[tokio::test]
async fn twins_share_one_limit_exactly() {
    let (redis, backend) = (Redis::start(), backend().await);
    let app = twins(&redis, &backend, "{ limit = \"20/minute\", per = \"ip\" }").await;
    for left in (0..20).rev() {
        let reply = ask(&app, ["all", "twin"][left % 2], "203.0.113.1").await.must_be(200);
        assert!(reply.header("ratelimit").unwrap().starts_with(&format!("\"u\";r={left};t=")), "{left} are left");
    }
    for instance in ["all", "twin"] {
        let refused = ask(&app, instance, "203.0.113.1").await;
        refused.problem(429, "rate-limited");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=64).contains(&wait), "{wait}");
    }
    assert_eq!(passing(&app, "203.0.113.2", 30).await, 20, "others have a count of their own");

    let names = redis.command(&["KEYS", "*"]);
    assert!(names.lines().all(|name| name.starts_with("vestibule:limit:")), "{names}");
    assert!(!names.contains("203.0"), "names tell no address: {names}");
    for name in names.lines() {
        let expiry: i64 = redis.command(&["PTTL", name]).parse().unwrap();
        assert!(expiry > 0 && expiry <= 65_000, "{name} expires: {expiry}");
    }
}

#[rstest]
#[case::exact("exact")]
#[case::leased("leased")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_window_lets_more_through_than_the_limit(#[case] mode: &str) {
    let (redis, backend) = (Redis::start(), backend().await);
    let limit = format!("{{ limit = \"40/second\", per = \"route\", mode = \"{mode}\" }}");
    let app = twins(&redis, &backend, &limit).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let end = Instant::now() + Duration::from_secs(3);
    let load = ["all", "twin", "all", "twin"].map(|instance| {
        let app = &app;
        async move {
            let mut passed = Vec::new();
            while Instant::now() < end {
                let sent = Instant::now();
                let status = ask(app, instance, "203.0.113.1").await.status;
                assert!(matches!(status, 200 | 429), "{status}");
                if status == 200 {
                    passed.push((sent, Instant::now()));
                }
            }
            passed
        }
    });
    let passed = futures_util::future::join_all(load).await.concat();
    for (from, _) in &passed {
        let surely = passed.iter().filter(|(sent, came)| sent >= from && *came < *from + Duration::from_secs(1));
        assert!(surely.count() <= 40, "more than the limit within a second");
    }
    assert!(passed.len() >= 80, "and not much less either: {}", passed.len());
}

#[tokio::test]
async fn leases_come_within_a_tenth_of_the_limit_and_spare_redis() {
    let (redis, backend) = (Redis::start(), backend().await);
    let app = twins(&redis, &backend, "{ limit = \"300/minute\", per = \"ip\", mode = \"leased\" }").await;
    redis.command(&["CONFIG", "RESETSTAT"]);
    let passed = passing(&app, "203.0.113.1", 400).await;
    assert!((270..=300).contains(&passed), "{passed}");
    let stats = redis.command(&["INFO", "commandstats"]);
    let asked = stats.lines().find_map(|line| calls(line, "cmdstat_evalsha:")).unwrap();
    assert!(asked < 150, "asked {asked} times for 400 requests");
}

#[tokio::test]
async fn redis_killed_under_load_is_no_failure_and_limits_go_on_locally() {
    let (mut redis, backend) = (Redis::start(), backend().await);
    let app = twins(&redis, &backend, "{ limit = \"50/minute\", per = \"ip\" }").await;
    let end = Instant::now() + Duration::from_secs(4);
    let load = ["all", "twin", "all", "twin"].map(|instance| {
        let app = &app;
        async move {
            let mut passed = 0;
            let mut number = 0;
            while Instant::now() < end {
                number += 1;
                let status = ask(app, instance, "203.0.113.1").await.status;
                // Other clients come and go, so that there is always one who is let through.
                let other = ask(app, instance, &format!("198.51.{}.{}", number / 250 % 250, number % 250)).await.status;
                assert!(matches!(status, 200 | 429) && other != 500 && other < 502, "{status} {other}");
                passed += usize::from(status == 200);
            }
            passed
        }
    });
    let killer = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        redis.kill();
    };
    let (passed, ()) = tokio::join!(futures_util::future::join_all(load), killer);
    let passed: usize = passed.iter().sum();
    assert!((50..=100).contains(&passed), "{passed}");
    assert_eq!(passing(&app, "203.0.113.7", 120).await, 100, "each instance by itself");

    redis.restart();
    both_ask(&app, &redis).await;
    assert_eq!(passing(&app, "203.0.113.8", 80).await, 50, "together again");
    let told = app.logs().lines().filter(|line| line.contains("redis_away") && line.contains("limits")).count();
    assert_eq!(told, 2, "told once by each");
}

#[tokio::test]
async fn a_redis_that_does_not_answer_costs_a_few_requests_little_and_the_others_nothing() {
    let (redis, backend) = (Redis::start(), backend().await);
    let app = twins(&redis, &backend, "{ limit = \"500/minute\", per = \"ip\" }").await;
    redis.signal("STOP");
    let mut took = Vec::new();
    for _ in 0..40 {
        let started = Instant::now();
        ask(&app, "all", "203.0.113.1").await.must_be(200);
        took.push(started.elapsed());
    }
    redis.signal("CONT");
    let slow = took.iter().filter(|took| **took > Duration::from_millis(35)).count();
    assert!(slow <= 10, "{took:?}");
    took.sort_unstable();
    assert!(took[30] < Duration::from_millis(35), "{took:?}");
    let back = async || app.logs().contains("redis_back").then_some(());
    assert!(eventually(Duration::from_secs(10), back).await.is_some(), "{}", app.logs());
}

#[tokio::test]
async fn after_a_flush_each_instance_still_holds_its_own() {
    let (redis, backend) = (Redis::start(), backend().await);
    let app = twins(&redis, &backend, "{ limit = \"20/minute\", per = \"ip\" }").await;
    assert_eq!(passing(&app, "203.0.113.1", 20).await, 20);
    redis.command(&["FLUSHALL"]);
    redis.command(&["SCRIPT", "FLUSH"]);
    let more = passing(&app, "203.0.113.1", 60).await;
    assert!(more <= 20, "{more}");
}
