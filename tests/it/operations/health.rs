//! Health.

use std::time::Duration;

use rstest::rstest;

use crate::support::{
    Store::{self, Postgres, Sqlite},
    TestApp,
    Topology::{self, AllInOne, Split},
};

#[rstest]
#[tokio::test]
async fn health_is_told_to_anybody(
    #[values(AllInOne, Split)] topology: Topology,
    #[values(Sqlite, Postgres)] store: Store,
) {
    let app = TestApp::builder(topology, store).start().await;
    let health = app.get("/health").send().await.must_be(200).json();
    assert_eq!(health["status"], "healthy", "{health}");
    for member in ["service", "version", "timestamp"] {
        assert!(health[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {health}");
    }
    assert!(health["services"].is_object(), "{health}");
    app.get("/health/live").send().await.must_be(200);
    app.get("/health/ready").send().await.must_be(200);
    for role in ["auth", "aggregation", "gateway"] {
        app.call_role(role, reqwest::Method::GET, "/health/ready").send().await.must_be(200);
        app.call_role(role, reqwest::Method::GET, "/metrics").send().await.must_be(200);
        app.call_role(role, reqwest::Method::GET, "/openapi.json").send().await.must_be(200);
    }
}

#[tokio::test]
async fn a_start_without_a_file_is_quick() {
    let mut app = TestApp::simple().start().await;
    app.kill_dash_nine();
    let took = app.start().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}
