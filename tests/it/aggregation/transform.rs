//! `/data/transform`, and programs that mean harm.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use super::hostile::resident;
use crate::support::{
    Process,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn rules_run_one_after_the_other(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let transform = async |body: Value| app.post("/api/data/transform").bearer(&token).json(&body).send().await;
    app.post("/api/data/transform").json(&json!({"data": 1, "rules": []})).send().await.problem(401, "unauthenticated");

    let data = json!([{"n": 3, "name": "c", "x": 1}, {"n": 1, "name": "a", "x": 1}, {"n": 2, "name": "b", "x": 1}]);
    let rules = json!([
        {"op": "filter", "where": ".n > 1"},
        {"op": "sort", "by": ".n", "order": "asc"},
        {"op": "set", "field": "double", "value": ".n * 2"},
        {"op": "rename", "from": "name", "to": "label"},
        {"op": "remove", "fields": ["x", "absent"]},
    ]);
    let reply = transform(json!({"data": data, "rules": rules})).await.must_be(200).json();
    assert_eq!(reply["data"], json!([{"n": 2, "label": "b", "double": 4}, {"n": 3, "label": "c", "double": 6}]));
    assert_eq!(reply["meta"]["rules"], 5);
    assert!(reply["meta"]["duration_ms"].is_number());

    let reply = transform(json!({"data": data, "rules": [{"op": "jq", "program": "map(.n) | add"}]})).await;
    assert_eq!(reply.must_be(200).json()["data"], 6);
    let reply = transform(
        json!({"data": data, "rules": [{"op": "select", "fields": ["n"]}, {"op": "limit", "count": 1, "offset": 1}]}),
    );
    assert_eq!(reply.await.must_be(200).json()["data"], json!([{"n": 1}]));

    let wrong = transform(json!({"data": [], "rules": [{"op": "filter", "where": ".["}, {"op": "dance"}]})).await;
    wrong.problem(422, "validation-failed");
    assert!(wrong.pointers().iter().any(|pointer| pointer.starts_with("/rules/")), "{}", wrong.text());
}

#[rstest]
#[tokio::test]
async fn hostile_programs_cost_nobody_else_anything(#[values(AllInOne, Split)] topology: Topology) {
    let mut app = TestApp::builder(topology, Sqlite).settings("[gateway]\nrate_limit = false").start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let processes: Vec<u32> = app.processes.iter().map(Process::id).collect();
    let memory = |processes: &[u32]| processes.iter().map(|id| resident(*id)).sum::<u64>();
    let memory_before = memory(&processes);
    let (mut hostile, mut spent) = (0, Duration::ZERO);
    let run = async |program: &str| {
        let body = json!({"data": [1, 2, 3], "rules": [{"op": "jq", "program": program}]});
        app.post("/api/data/transform").bearer(&token).json(&body).send().await
    };
    for program in [
        "[repeat(1)]",
        "def f: f; f",
        "def f: [f]; f",
        "[range(1e12)]",
        "\"x\" * 1e10",
        "[range(1e9)] | length",
        "(\"[\" * 200000) | fromjson",
        "reduce range(1e9) as $i (0; . + 1)",
        "until(false; .)",
        "[recurse([., .])]",
        "last(repeat(1))",
        "[limit(1e10; repeat(\"xxxxxxxxxxxxxxxx\"))] | join(\",\")",
        "def f(x): f(x | x); f(.)",
        "[combinations(30)]",
        "(\"a\" * 100000) | test(\"(a+)+$\")",
        "error",
        "input",
        "$ENV",
        "env",
        "halt",
        "include \"x\"; 1",
    ] {
        let start = Instant::now();
        // Neighbours are served beside it.
        let (reply, neighbour) = tokio::join!(run(program), run("map(. + 1)"));
        assert_eq!(neighbour.must_be(200).json()["data"], json!([2, 3, 4]), "beside {program}");
        assert!(start.elapsed() < Duration::from_secs(3), "{program} took {:?}", start.elapsed());
        (hostile, spent) = (hostile + 1, spent + start.elapsed());
        let harmless = reply.status == 200 && !reply.text().contains("PATH");
        assert!((400..500).contains(&reply.status) || harmless, "{program}: {} {}", reply.status, reply.text());
        let next = run("map(. + 1)").await;
        assert_eq!(next.must_be(200).json()["data"], json!([2, 3, 4]), "after {program}");
    }
    assert!(hostile > 15 && spent < Duration::from_secs(1) * hostile, "{spent:?} for {hostile}");
    assert_eq!(run("[repeat(1)]").await.problem(422, "transform-limit")["code"], "transform-limit");
    app.get("/health/live").send().await.must_be(200);
    assert!(app.processes.iter_mut().all(|process| process.exited().is_none()));
    assert_eq!(app.processes.iter().map(Process::id).collect::<Vec<_>>(), processes);
    let grown = memory(&processes).saturating_sub(memory_before);
    assert!(grown < 64 << 20, "it grew by {grown} bytes");
}
