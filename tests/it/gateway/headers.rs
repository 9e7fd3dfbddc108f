//! What an upstream is told, and by whom.

use rstest::rstest;
use serde_json::json;

use super::upstream;
use crate::support::{
    Backend,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn a_client_cannot_say_who_it_is(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({})).await;
    let settings = upstream(&backend.url(), "", "auth = \"optional\"");
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let forge = || {
        app.get("/u/things?x=1")
            .header("x-user-id", "somebody")
            .header("x_user_roles", "admin")
            .header("X-User-Scopes", "all")
            .header("connection", "x-secret")
            .header("x-secret", "hop by hop")
            .header("te", "trailers")
            .header("x-plain", "kept")
    };
    forge().send().await.must_be(200);
    let session = app.session_of("ada@example.org").await;
    forge().bearer(&session.access_token).send().await.must_be(200);

    let requests = backend.requests().await;
    let header = |index: usize, name: &str| requests[index].headers.get(name).map(|value| value.to_str().unwrap());
    for (index, request) in requests.iter().enumerate() {
        assert_eq!(request.url.path(), "/things");
        assert_eq!(request.url.query(), Some("x=1"));
        assert_eq!(header(index, "x-plain"), Some("kept"));
        for gone in ["x_user_roles", "x-secret", "te", "keep-alive"] {
            assert_eq!(header(index, gone), None, "{gone}");
        }
        assert!(header(index, "via").is_some());
        assert!(header(index, "x-forwarded-for").is_some());
        assert_eq!(header(index, "x-forwarded-proto"), Some("http"));
        assert!(app.url.ends_with(header(index, "x-forwarded-host").unwrap()));
    }
    assert_eq!(header(0, "x-user-id"), None);
    assert_eq!(header(0, "x-user-scopes"), None);
    let me = app.get("/auth/me").bearer(&session.access_token).send().await.json();
    assert_eq!(header(1, "x-user-id"), me["id"].as_str());
    assert_eq!(header(1, "x-user-roles"), Some("user"));
}

#[rstest]
#[tokio::test]
async fn request_ids_and_traces_go_through(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({})).await;
    let app = TestApp::builder(topology, Sqlite).settings(&upstream(&backend.url(), "", "")).start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let reply = app
        .get("/u/a")
        .header("x-request-id", "my-id.1")
        .header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))
        .header("tracestate", "vendor=1")
        .send()
        .await
        .must_be(200);
    assert_eq!(reply.header("x-request-id"), Some("my-id.1"));
    let insane = app.get("/u/b").header("x-request-id", "not sane!").send().await;
    let made = insane.header("x-request-id").unwrap().to_owned();
    assert_ne!(made, "not sane!");

    let requests = backend.requests().await;
    let header = |index: usize, name: &str| requests[index].headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header(0, "x-request-id"), Some("my-id.1"));
    assert!(header(0, "traceparent").unwrap().starts_with(&format!("00-{trace}-")));
    assert!(!header(0, "traceparent").unwrap().contains("00f067aa0ba902b7"), "the parent is our own span");
    assert_eq!(header(0, "tracestate"), Some("vendor=1"));
    assert_eq!(header(1, "x-request-id"), Some(made.as_str()));
    assert!(header(1, "traceparent").is_some());
}
