//! Who may pass, and what answers carry.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::upstream;
use crate::support::{
    Backend,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn a_route_asks_for_a_token_a_role_a_scope(#[values(AllInOne, Split)] topology: Topology) {
    let backend = Backend::answering(&json!({})).await;
    let route = |name: &str, rest: &str| {
        format!("[[gateway.routes]]\nname = \"{name}\"\npath = \"/{name}\"\nupstream = \"u\"\n{rest}\n")
    };
    let settings = upstream(&backend.url(), "", "methods = [\"GET\"]")
        + &route("members", "auth = \"required\"")
        + &route("either", "auth = \"optional\"")
        + &route("admins", "auth = \"required\"\nroles = [\"admin\"]")
        + &route("scoped", "auth = \"required\"\nscopes = [\"catalog:read\"]");
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;

    for path in ["/members", "/admins", "/scoped"] {
        let refused = app.get(path).send().await;
        refused.problem(401, "unauthenticated");
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    app.get("/members").bearer("nonsense").send().await.problem(401, "unauthenticated");
    app.get("/either").bearer("nonsense").send().await.problem(401, "unauthenticated");
    assert_eq!(backend.requests().await.len(), 0);
    app.get("/either").send().await.must_be(200);
    app.get("/members").bearer(&token).send().await.must_be(200);
    app.get("/admins").bearer(&token).send().await.problem(403, "forbidden");
    app.get("/scoped").bearer(&token).send().await.problem(403, "forbidden");

    let wrong = app.post("/u/a").send().await;
    wrong.problem(405, "method-not-allowed");
    assert_eq!(wrong.header("allow"), Some("GET"));
    app.call(Method::GET, "/other").send().await.problem(404, "no-route");
}

#[tokio::test]
async fn answers_carry_security_headers_and_keep_what_the_upstream_said() {
    let backend = Backend::start().await;
    let answer = ResponseTemplate::new(418).insert_header("x-own", "kept").insert_header("server", "theirs");
    backend.answer(answer.set_body_string("short and stout")).await;
    let route = "response_headers = { set = { \"x-added\" = \"yes\" }, remove = [\"server\"] }\n\
                 request_headers = { set = { \"x-from\" = \"gateway\" }, remove = [\"x-debug\"] }";
    let app = TestApp::simple().settings(&upstream(&backend.url(), "", route)).start().await;
    let reply = app.get("/u/teapot").header("x-debug", "1").send().await.must_be(418);
    assert_eq!(reply.text(), "short and stout");
    assert_eq!((reply.header("x-own"), reply.header("x-added")), (Some("kept"), Some("yes")));
    assert_eq!(reply.header("server"), None);
    for reply in [reply, app.get("/nothing").send().await, app.get("/.well-known/jwks.json").send().await] {
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.header("referrer-policy").is_some());
        assert!(reply.header("x-request-id").is_some());
        assert_eq!(reply.header("strict-transport-security"), None, "only over TLS");
    }
    let requests = backend.requests().await;
    assert_eq!(requests[0].headers.get("x-from").unwrap(), "gateway");
    assert!(requests[0].headers.get("x-debug").is_none());
}

#[tokio::test]
async fn cross_origin_calls_are_answered_at_the_gateway() {
    let backend = Backend::start().await;
    backend.answer(ResponseTemplate::new(200).insert_header("access-control-allow-origin", "*")).await;
    let settings = upstream(&backend.url(), "", "").replacen(
        "[gateway]\n",
        "[gateway]\ncors = { origins = [\"https://app.example\"], credentials = true }\n",
        1,
    );
    let app = TestApp::simple().settings(&settings).start().await;
    let preflight = app
        .call(Method::OPTIONS, "/u/a")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization")
        .send()
        .await;
    assert!(matches!(preflight.status, 200 | 204), "{preflight:?}");
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(preflight.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(backend.requests().await.len(), 0);
    for path in ["/u/a", "/nothing"] {
        let reply = app.get(path).header("origin", "https://app.example").send().await;
        let origins: Vec<_> = reply.headers.get_all("access-control-allow-origin").iter().collect();
        assert_eq!(origins, ["https://app.example"], "{path}");
        let other = app.get(path).header("origin", "https://evil.example").send().await;
        assert_eq!(other.header("access-control-allow-origin"), None, "{path}");
    }
}
