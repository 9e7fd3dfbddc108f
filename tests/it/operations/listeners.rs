//! Where operators' paths are, and which may be moved or left out.

use rstest::rstest;

use crate::support::{
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
    free_host,
};

#[tokio::test]
async fn the_documentation_can_be_left_out() {
    let app = TestApp::simple().settings("[server]\ndocs = false").start().await;
    for path in ["/docs", "/docs/", "/redoc", "/openapi.json"] {
        assert_eq!(app.get(path).send().await.status, 404, "{path}");
    }
    for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
        app.get(path).send().await.must_be(200);
    }
}

#[tokio::test]
async fn operators_may_have_a_port_of_their_own() {
    let host = free_host();
    let settings = format!("[server]\noperations = {{ host = \"{host}\", port = 9090 }}");
    // The harness waits for readiness at the front door, where it is no more.
    let app = TestApp::simple().settings(&settings).start_at_operations(&format!("http://{host}:9090")).await;
    let own = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/health", "/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs/", "/redoc"] {
        let there = own.get(format!("http://{host}:9090{path}")).send().await.unwrap();
        assert_eq!(there.status(), 200, "{path}");
        assert_eq!(app.get(path).send().await.status, 404, "{path} is not public any more");
    }
    let there = own.get(format!("http://{host}:9090/admin/upstreams")).send().await.unwrap();
    assert_eq!(there.status(), 401);
    assert_eq!(app.get("/admin/upstreams").send().await.status, 404);
    // And what is public is only there.
    app.get("/.well-known/jwks.json").send().await.must_be(200);
    let there = own.get(format!("http://{host}:9090/.well-known/jwks.json")).send().await.unwrap();
    assert_eq!(there.status(), 404);
}

#[rstest]
#[tokio::test]
async fn prefixes_can_be_moved(#[values(AllInOne, Split)] topology: Topology) {
    let settings = "[gateway]\nadmin_prefix = \"/ops\"\napi_prefix = \"/compose\"\n";
    let app = TestApp::builder(topology, Sqlite).settings(settings).start().await;
    let session = app.session_of("ada@example.org").await;
    let get = |path: &str| app.get(path).bearer(&session.access_token).send();
    get("/compose/data/sources").await.must_be(200);
    get("/ops/upstreams").await.problem(403, "forbidden");
    get("/api/data/sources").await.problem(404, "no-route");
    get("/admin/upstreams").await.problem(404, "no-route");
}
