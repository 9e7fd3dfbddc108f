//! Bodies that are not what they should be.

use rstest::rstest;
use serde_json::json;

use crate::support::{
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn every_fault_is_told_at_once(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).start().await;
    let register = || app.post("/auth/register");

    let empty = register().json(&json!({})).send().await;
    empty.problem(422, "validation-failed");
    assert_eq!(empty.pointers(), ["/email", "/password"]);

    let wrong = json!({"email": "nonsense", "password": "short", "display_name": 7, "a/b~c": 1});
    let wrong = register().json(&wrong).send().await;
    wrong.problem(422, "validation-failed");
    assert_eq!(wrong.pointers(), ["/a~1b~0c", "/display_name", "/email", "/password"]);

    for (body, status, code) in [
        ("{", 400, "malformed-request"),
        ("", 400, "malformed-request"),
        ("{\"email\":\"a@b.c\",\"email\":\"d@e.f\",\"password\":\"correct horse\"}", 400, "malformed-request"),
        ("[]", 422, "validation-failed"),
        ("null", 422, "validation-failed"),
    ] {
        register().body("application/json", body).send().await.problem(status, code);
    }
    register().body("text/plain", "{}").send().await.problem(415, "unsupported-media-type");
    register().send().await.problem(415, "unsupported-media-type");
    let deep = format!("{{\"email\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let deep = register().body("application/json", deep).send().await;
    assert!(matches!(deep.status, 400 | 422), "{}", deep.text());
}

#[rstest]
#[tokio::test]
async fn methods_and_paths_that_are_not_there(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).start().await;
    app.get("/nothing/here").send().await.problem(404, "no-route");
    app.get("/data/aggregate?sources=a").send().await.problem(404, "no-route");
    app.get("/internal/auth/revocations").send().await.problem(404, "no-route");
    let reply = app.get("/auth/nothing-here").send().await;
    assert_eq!((reply.status, reply.header("content-type")), (404, Some("application/problem+json")));
    let wrong = app.get("/auth/register").send().await;
    wrong.problem(405, "method-not-allowed");
    assert!(wrong.header("allow").unwrap().contains("POST"));
}

#[rstest]
#[tokio::test]
async fn a_body_announced_as_too_long_is_refused_before_it_is_sent(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).settings("[server]\nbody_limit = \"64KiB\"").start().await;
    let long = json!({"email": "a@b.c", "password": "x".repeat(100_000)});
    app.post("/auth/register").json(&long).send().await.problem(413, "body-too-large");
    app.register("ada@example.org").await;
}
