//! Which target a request goes to, and which ones are spared.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{Backend, Manner, RawUpstream, TestApp, eventually};

/// Targets that say their numbers.
async fn targets(count: usize) -> Vec<Backend> {
    let mut backends = Vec::new();
    for number in 0..count {
        backends.push(Backend::answering(&json!({ "number": number })).await);
    }
    backends
}

fn settings(targets: &[(String, u32)], rest: &str) -> String {
    let target = |(url, weight): &(String, u32)| format!("{{ url = \"{url}\", weight = {weight} }}");
    let targets: Vec<_> = targets.iter().map(target).collect();
    format!(
        "[server]\nworkers = 1\n[gateway]\nrate_limit = false\n[[gateway.upstreams]]\nname = \"u\"\ntargets = [{}]\n{rest}\n\
         [[gateway.routes]]\nname = \"u\"\npath = \"/u/{{*rest}}\"\nupstream = \"u\"\n",
        targets.join(", ")
    )
}

fn evenly(backends: &[Backend]) -> Vec<(String, u32)> {
    backends.iter().map(|backend| (backend.url(), 1)).collect()
}

/// How often each target answered `count` requests with this header.
async fn spread(app: &TestApp, count: usize, header: (&str, &str)) -> BTreeMap<u64, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..count {
        let reply = app.get("/u/x").header(header.0, header.1).send().await.must_be(200);
        *answers.entry(reply.json()["number"].as_u64().unwrap()).or_default() += 1;
    }
    answers
}

const NOTHING: (&str, &str) = ("x-nothing", "1");

#[tokio::test]
async fn by_turns_and_by_weight() {
    let backends = targets(3).await;
    let weighted: Vec<_> = backends.iter().zip([3, 1, 2]).map(|(backend, weight)| (backend.url(), weight)).collect();
    let app = TestApp::simple().settings(&settings(&weighted, "balance = \"round_robin\"")).start().await;
    assert_eq!(spread(&app, 60, NOTHING).await, BTreeMap::from([(0, 30), (1, 10), (2, 20)]));
}

#[tokio::test]
async fn at_random_and_by_weight() {
    let backends = targets(2).await;
    let weighted = vec![(backends[0].url(), 9), (backends[1].url(), 1)];
    let app = TestApp::simple().settings(&settings(&weighted, "balance = \"random\"")).start().await;
    let answers = spread(&app, 300, NOTHING).await;
    // 270 and 30 are expected; the chance to be outside is less than one in a billion.
    assert!((230..=299).contains(&answers[&0]) && answers[&1] >= 1, "{answers:?}");
}

#[tokio::test]
async fn to_the_one_with_fewer_requests_in_flight() {
    let quick = Backend::answering(&json!({ "number": 1 })).await;
    let hanging = RawUpstream::start(Manner::Hang).await;
    let both = vec![(hanging.url(), 1), (quick.url(), 1)];
    let lines = settings(&both, "balance = \"least_requests\"\ntimeout = \"20s\"");
    let app = TestApp::simple().settings(&lines).start().await;
    // As soon as one request hangs, all others go past it.
    let mut waiting = Vec::new();
    let caught = eventually(Duration::from_secs(10), async || {
        waiting.push(tokio::spawn(app.get("/u/x").attempt()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        (!hanging.heads().is_empty()).then_some(())
    });
    assert!(caught.await.is_some());
    assert_eq!(spread(&app, 40, NOTHING).await, BTreeMap::from([(1, 40)]));
    assert_eq!(hanging.heads().len(), 1);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn the_same_key_to_the_same_target() {
    let backends = targets(4).await;
    for (on, header) in [("header:x-tenant", "x-tenant"), ("cookie:lane", "cookie"), ("client_ip", "x-forwarded-for")] {
        let lines = settings(&evenly(&backends), &format!("balance = \"consistent_hash\"\nhash_on = \"{on}\""));
        let app = TestApp::simple().settings(&lines).start().await;
        let mut used = BTreeMap::new();
        for number in 0..24 {
            let value = match on {
                "client_ip" => format!("203.0.113.{number}"),
                "cookie:lane" => format!("other=1; lane=tenant-{number}"),
                _ => format!("tenant-{number}"),
            };
            let answers = spread(&app, 3, (header, &value)).await;
            assert_eq!(answers.len(), 1, "{on}: {value} went to {answers:?}");
            *used.entry(*answers.keys().next().unwrap()).or_insert(0) += 1;
        }
        assert!(used.len() >= 3, "{on}: the keys are spread: {used:?}");
    }
}

#[tokio::test]
async fn users_keep_their_target() {
    let backends = targets(4).await;
    let rest = "balance = \"consistent_hash\"\nhash_on = \"user\"";
    let lines = settings(&evenly(&backends), rest) + "auth = \"required\"\n";
    let app = TestApp::simple().settings(&lines).start().await;
    let first = app.session_of("ada@example.org").await;
    let bearer = format!("Bearer {}", first.access_token);
    assert_eq!(spread(&app, 12, ("authorization", &bearer)).await.len(), 1);
}

#[tokio::test]
async fn a_target_that_fails_its_checks_is_spared_until_it_passes_them() {
    let backends = targets(2).await;
    let rest = "health = { path = \"/health\", interval = \"100ms\", timeout = \"1s\", healthy_after = 2, unhealthy_after = 2 }\n\
                breaker = { failures = 1000, window = \"1s\", open_for = \"1s\" }";
    let app = TestApp::simple().settings(&settings(&evenly(&backends), rest)).start().await;
    assert_eq!(spread(&app, 10, NOTHING).await.len(), 2);

    backends[0].forget().await;
    backends[0].answer(ResponseTemplate::new(500)).await;
    let spared = eventually(Duration::from_secs(10), async || {
        let mut all_good = true;
        for _ in 0..6 {
            all_good &= app.get("/u/x").send().await.status == 200;
        }
        all_good.then_some(())
    });
    assert!(spared.await.is_some(), "it goes on getting requests");
    assert_eq!(spread(&app, 10, NOTHING).await, BTreeMap::from([(1, 10)]));

    backends[1].forget().await;
    backends[1].answer(ResponseTemplate::new(503)).await;
    let nobody = eventually(Duration::from_secs(10), async || {
        let reply = app.get("/u/x").send().await;
        // The target's own 503 has no body.
        (reply.status == 503 && !reply.body.is_empty()).then_some(reply)
    });
    let nobody = nobody.await.expect("with all targets out there is an answer that says so");
    nobody.problem(503, "no-healthy-target");
    assert!(nobody.header("retry-after").is_some());

    for (number, backend) in backends.iter().enumerate() {
        backend.forget().await;
        backend.answer(ResponseTemplate::new(200).set_body_json(json!({ "number": number }))).await;
    }
    let back = eventually(Duration::from_secs(10), async || (app.get("/u/x").send().await.status == 200).then_some(()));
    assert!(back.await.is_some(), "they come back");
    let both = eventually(Duration::from_secs(10), async || (spread(&app, 6, NOTHING).await.len() == 2).then_some(()));
    assert!(both.await.is_some(), "both come back");
}

#[tokio::test]
async fn a_target_that_fails_calls_is_ejected_for_a_while_but_never_too_many_are() {
    let good = Backend::answering(&json!({ "number": 1 })).await;
    let bad = Backend::start().await;
    bad.answer(ResponseTemplate::new(503)).await;
    let worse = Backend::start().await;
    worse.answer(ResponseTemplate::new(502)).await;
    let all = vec![(bad.url(), 1), (good.url(), 1), (worse.url(), 1)];
    let rest = "breaker = { failures = 1000, window = \"1s\", open_for = \"1s\" }\n\
                outlier = { consecutive_failures = 2, ejection = \"2s\", max_ejected_percent = 34 }\npanic_percent = 0";
    let app = TestApp::simple().settings(&settings(&all, rest)).start().await;
    for _ in 0..12 {
        app.get("/u/x").send().await;
    }
    let (first, second) = (bad.requests().await.len(), worse.requests().await.len());
    assert_eq!(first.min(second), 2, "one is ejected after two failures: {first} {second}");
    assert!(first.max(second) > 2, "the other must stay, or too many would be out: {first} {second}");
    let ejected = if first == 2 { &bad } else { &worse };
    let again = eventually(Duration::from_secs(8), async || {
        app.get("/u/x").send().await;
        (ejected.requests().await.len() > 2).then_some(())
    });
    assert!(again.await.is_some(), "it is tried again when its time is over");
}
