//! Upstreams that hang, break off, talk nonsense or are not there.

use std::time::{Duration, Instant};

use rstest::rstest;

use super::upstream;
use crate::support::{
    Manner, RawUpstream,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
    eventually, free_host,
};

#[rstest]
#[case::garbage(b"this is not HTTP\r\n\r\n")]
#[case::both_lengths(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
#[case::two_lengths(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")]
#[case::cut_head(b"HTTP/1.1 200 OK\r\nContent-Le")]
#[case::nothing(b"")]
#[tokio::test]
async fn nonsense_is_a_bad_gateway(#[case] says: &[u8]) {
    let raw = RawUpstream::start(Manner::Say(says.to_vec())).await;
    let app = TestApp::simple().settings(&upstream(&raw.url(), "", "")).start().await;
    app.get("/u/a").send().await.problem(502, "bad-gateway");
}

#[rstest]
#[tokio::test]
async fn nobody_there_and_hanging_up_are_bad_gateways(#[values(AllInOne, Split)] topology: Topology) {
    let settings = upstream(&format!("http://{}:8000", free_host()), "", "");
    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    app.get("/u/a").send().await.problem(502, "bad-gateway");
    drop(app);

    let raw = RawUpstream::start(Manner::HangUp).await;
    let app = TestApp::builder(topology, Sqlite).settings(&upstream(&raw.url(), "", "")).start().await;
    app.post("/u/a").body("text/plain", "once").send().await.problem(502, "bad-gateway");
    assert_eq!(raw.heads().len(), 1, "a POST that was sent is not sent again");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_passed_for_whole() {
    let says = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this".to_vec();
    let raw = RawUpstream::start(Manner::Say(says)).await;
    let app = TestApp::simple().settings(&upstream(&raw.url(), "", "")).start().await;
    let reply = app.get("/u/a").attempt().await;
    assert!(reply.is_err(), "{reply:?}");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec();
    let raw = RawUpstream::start(Manner::Say(chunked)).await;
    let app = TestApp::simple().settings(&upstream(&raw.url(), "", "")).start().await;
    let reply = app.get("/u/a").attempt().await;
    assert!(reply.is_err(), "{reply:?}");
    assert_eq!(raw.accepted_connections(), 1);
}

#[tokio::test]
async fn a_hanging_upstream_is_cut_at_its_deadline_and_then_spared() {
    let raw = RawUpstream::start(Manner::Hang).await;
    let of_upstream =
        "timeout = \"300ms\"\nbreaker = { failures = 3, window = \"30s\", open_for = \"1s\", half_open_requests = 1 }";
    let app = TestApp::simple().settings(&upstream(&raw.url(), of_upstream, "")).start().await;
    for _ in 0..3 {
        let start = Instant::now();
        app.get("/u/a").send().await.problem(504, "upstream-timeout");
        assert!((250..2000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }
    let start = Instant::now();
    let open = app.get("/u/a").send().await;
    open.problem(503, "circuit-open");
    assert!(open.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert!(start.elapsed() < Duration::from_millis(250), "fast while open");
    assert_eq!(raw.heads().len(), 3);
    let metrics = app.get("/metrics").send().await.text();
    assert!(metrics.contains("circuit_breaker_state{upstream=\"u\"} 2"), "the breaker is shown as open");

    tokio::time::sleep(Duration::from_millis(1100)).await;
    let trials = futures_util::future::join_all((0..5).map(|_| app.get("/u/a").send())).await;
    let tried = trials.iter().filter(|reply| reply.status == 504).count();
    assert_eq!(tried, 1, "exactly one trial while half open");
    assert_eq!(raw.heads().len(), 4);
}

#[tokio::test]
async fn more_than_may_be_in_flight_is_refused() {
    let raw = RawUpstream::start(Manner::Hang).await;
    let app =
        TestApp::simple().settings(&upstream(&raw.url(), "max_in_flight = 2\ntimeout = \"3s\"", "")).start().await;
    let waiting: Vec<_> = (0..2).map(|_| tokio::spawn(app.get("/u/a").send())).collect();
    assert!(eventually(Duration::from_secs(2), async || (raw.heads().len() == 2).then_some(())).await.is_some());
    let refused = app.get("/u/a").send().await;
    refused.problem(503, "overloaded");
    assert!(refused.header("retry-after").is_some());
    for call in waiting {
        call.await.unwrap().problem(504, "upstream-timeout");
    }
}

#[tokio::test]
async fn a_dripping_upstream_meets_the_deadline_of_the_route() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec();
    let raw = RawUpstream::start(Manner::Drip(head, Duration::from_millis(100))).await;
    let app = TestApp::simple().settings(&upstream(&raw.url(), "", "timeout = \"1s\"")).start().await;
    let start = Instant::now();
    let reply = app.get("/u/a").attempt().await;
    assert!(reply.is_err(), "{reply:?}");
    assert!((800..4000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}
