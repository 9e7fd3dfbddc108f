//! Programs that want to take the server down. Each is an error answer in bounded time, nothing else changes.

use std::time::{Duration, Instant};

use serde_json::json;

use super::app::{TestRole, config};

const HOSTILE: [&str; 32] = [
    "[repeat(1)]",
    "def f: f; f",
    "def f: 1 + f; f",
    "def f: [f]; f",
    "\"[\" * 1000000 | fromjson",
    "\"[\" * 100000 | . + (\"]\" * 100000) | fromjson | tojson",
    "\"x\" * 1000000000",
    "[range(1e12)]",
    "reduce range(1e12) as $i (0; . + 1)",
    "[range(1e9)]",
    "[limit(1e12; repeat(\"x\"))]",
    "reduce range(1e9) as $i (\"x\"; . + .)",
    "reduce range(100) as $i ([1]; . + .)",
    "reduce range(1e9) as $i (null; [.])",
    "last(range(1e12))",
    "until(false; . + 1)",
    "while(true; . + 1) | empty",
    "recurse(. + 1)",
    "[recurse(., .)]",
    "input",
    "[inputs]",
    "env",
    "$ENV",
    "error(\"x\" * 1000000)",
    "[range(1000)] | map(\"a\" * 100000 | test(\"(a*)*(a*)*(a*)*b\")) | any",
    "[range(1000000) | tostring] | join(\",\") | . * 1000",
    "def f: tojson | f; f",
    "[paths(..)] | repeat([.[], .[]])",
    "[range(100000)] | [combinations(3)]",
    "reduce range(1e6) as $i (2; . * .)",
    "halt",
    "label $f | def g: g, g; g",
];

#[actix_web::test]
async fn hostile_programs_are_answered_and_change_nothing() {
    let role = TestRole::start(&config(&json!([]), &json!([]), &json!([])));
    let good = json!({"data": [3, 1, 2], "rules": [{"op": "sort", "by": "."}]}).to_string();
    let memory_before = resident();
    for program in HOSTILE {
        let started = Instant::now();
        let answer = role.transform(json!({"data": 1, "rules": [{"op": "jq", "program": program}]}).to_string()).await;
        let took = started.elapsed();
        assert!((400..500).contains(&answer.status), "{program}: {} {}", answer.status, answer.text);
        assert!(took < Duration::from_secs(3), "{program}: {took:?}");
        println!("{program:60} {} {:?} {took:?}", answer.status, answer.json()["detail"]);
        let next = role.transform(good.clone()).await;
        assert_eq!((next.status, &next.json()["data"]), (200, &json!([1, 2, 3])), "after {program}: {}", next.text);
    }
    let grown = resident().saturating_sub(memory_before);
    assert!(grown < 64 << 20, "the server itself grew by {grown} bytes");
}

#[actix_web::test]
async fn hostile_rules_are_bounded_too() {
    let role = TestRole::start(&config(&json!([]), &json!([]), &json!([])));
    let wide = json!([{"a": vec![0; 20_000], "b": "x".repeat(20_000)}]);
    let amplified = role.transform(json!({"data": wide, "rules": [{"op": "flatten", "field": "a"}]}).to_string()).await;
    assert_eq!((amplified.status, amplified.code), (422, Some("transform-limit")), "{}", amplified.text);
    for expression in ["[range(1e12)]", "repeat(1)", "def f: f; f"] {
        for rule in [
            json!({"op": "filter", "where": format!("[{expression}] | length > 0")}),
            json!({"op": "sort", "by": format!("[{expression}]")}),
            json!({"op": "group", "by": format!("[{expression}]"), "into": {"n": {"fn": "count"}}}),
        ] {
            let answer = role.transform(json!({"data": [{}], "rules": [rule]}).to_string()).await;
            assert_eq!((answer.status, answer.code), (422, Some("transform-limit")), "{rule}: {}", answer.text);
        }
    }
}

#[actix_web::test]
async fn more_than_the_queue_holds_is_told_to_come_again_and_the_rest_is_served() {
    let role = TestRole::start(&config(&json!([]), &json!([]), &json!([])));
    let slow = json!({"data": 1, "rules": [{"op": "jq", "program": "last(range(1e12))"}]}).to_string();
    let calls = (0..12).map(|_| role.transform(slow.clone()));
    let answers = futures_util::future::join_all(calls).await;
    let busy = answers.iter().filter(|answer| answer.status == 503).collect::<Vec<_>>();
    assert!(!busy.is_empty() && busy.iter().all(|answer| answer.retry_after.is_some()));
    assert!(answers.iter().all(|answer| matches!(answer.status, 422 | 503)));
    let next = role.transform(json!({"data": [2, 1], "rules": [{"op": "sort", "by": "."}]}).to_string()).await;
    assert_eq!(next.status, 200, "{}", next.text);
}

#[actix_web::test]
async fn an_evaluation_nobody_waits_for_is_ended() {
    let role = TestRole::start(&config(&json!([]), &json!([]), &json!([])));
    let slow = json!({"data": 1, "rules": [{"op": "jq", "program": "last(range(1e12))"}]}).to_string();
    let abandoned = tokio::time::timeout(Duration::from_millis(100), role.transform(slow)).await;
    assert!(abandoned.is_err());
    let next = role.transform(json!({"data": [2, 1], "rules": [{"op": "sort", "by": "."}]}).to_string()).await;
    assert_eq!(next.status, 200, "{}", next.text);
}

/// The resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}
