//! Metrics: all there from the start, at zero, under the contract's names.

use rstest::rstest;

use crate::support::{
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

/// Those of the contract that this version has a use for.
const NAMES: &[&str] = &[
    "http_requests_total",
    "http_request_duration_seconds",
    "http_server_active_requests",
    "http_request_size_bytes",
    "http_response_size_bytes",
    "database_query_duration_seconds",
    "cache_operations_total",
    "cache_evictions_total",
    "cache_hit_ratio",
    "business_operations_total",
    "rate_limit_decisions_total",
    "circuit_breaker_state",
    "upstream_requests_total",
    "upstream_request_duration_seconds",
    "events_published_total",
    "events_consumed_total",
    "outbox_pending",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
];

#[tokio::test]
async fn every_metric_is_there_from_the_start() {
    let app = TestApp::simple().start().await;
    let metrics = app.get("/metrics").send().await.must_be(200);
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    let text = metrics.text();
    let missing: Vec<_> = NAMES.iter().filter(|name| !text.lines().any(|line| line.starts_with(**name))).collect();
    assert!(missing.is_empty(), "{missing:?} missing in\n{text}");
}

#[rstest]
#[tokio::test]
async fn requests_are_counted_by_pattern_never_by_path(#[values(AllInOne, Split)] topology: Topology) {
    let app = TestApp::builder(topology, Sqlite).start().await;
    app.session_of("ada@example.org").await;
    app.get("/secret-looking/path/12345").send().await.must_be(404);
    let gateway = app.get("/metrics").send().await.text();
    let auth = app.call_role("auth", reqwest::Method::GET, "/metrics").send().await.text();
    for text in [&gateway, &auth] {
        let counted = |line: &&str| line.starts_with("http_requests_total{") && line.contains("method=\"POST\"");
        let line = text.lines().find(counted).unwrap_or_else(|| panic!("nothing counted in\n{text}"));
        for label in ["service=\"", "route=\"", "status=\""] {
            assert!(line.contains(label), "{line}");
        }
        assert!(!text.contains("12345"), "a raw path became a label");
        assert!(!text.contains("ada@example.org"));
    }
    let logged_in = auth.lines().find(|line| line.starts_with("business_operations_total") && line.contains("login"));
    assert!(logged_in.is_some_and(|line| !line.ends_with(" 0")), "{auth}");
}
