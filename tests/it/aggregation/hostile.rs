//! Sources that mean harm, or are broken: each is an error in `meta`, and nothing more.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{
    Backend, Manner, Process, RawUpstream,
    Store::Sqlite,
    TestApp,
    Topology::{self, AllInOne, Split},
};

fn say(head: &str, body: &[u8]) -> Manner {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{head}\r\n");
    Manner::Say([head.as_bytes(), body].concat())
}

/// The resident memory of a process, in bytes.
pub(super) fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

#[rstest]
#[tokio::test]
async fn broken_sources_are_told_and_nothing_more(#[values(AllInOne, Split)] topology: Topology) {
    let good = Backend::answering(&json!({"n": 1})).await;
    let moved = |to: &str| ResponseTemplate::new(302).insert_header("location", to);
    let metadata = Backend::start().await;
    metadata.answer(moved("http://169.254.169.254/latest/meta-data")).await;
    let elsewhere = Backend::start().await;
    elsewhere.answer(moved(&good.url())).await;
    let drip = Manner::Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n[".to_vec(), Duration::from_millis(20));
    let slow_head = Manner::Drip(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), Duration::from_millis(20));
    let large = format!("\"{}\"", "x".repeat(10 << 20));
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let raw = [
        ("garbage", Manner::Say(vec![0xff; 2000]), "error"),
        ("html", say("content-length: 6\r\n", b"<html>"), "error"),
        ("text", say("content-length: 4\r\n", b"\xff\xfe\xfd\xfc"), "error"),
        ("large", say(&format!("content-length: {}\r\n", large.len()), large.as_bytes()), "error"),
        ("endless", say("", large.as_bytes()), "error"),
        ("deep", say(&format!("content-length: {}\r\n", deep.len()), deep.as_bytes()), "error"),
        ("cut", say("content-length: 100\r\n", b"{\"a\":"), "error"),
        ("twice", say("content-length: 3\r\ntransfer-encoding: chunked\r\n", b"1\r\n1\r\n0\r\n\r\n"), "error"),
        ("unzipped", say("content-encoding: gzip\r\ncontent-length: 1\r\n", b"1"), "error"),
        ("hang_up", Manner::HangUp, "error"),
        ("hang", Manner::Hang, "timeout"),
        ("drip", drip, "timeout"),
        ("slow_head", slow_head, "timeout"),
    ];
    let mut settings = "[aggregation]\nsource_body_limit = \"1MiB\"\n".to_owned();
    let mut add = |name: &str, url: &str, more: &str| {
        let source = format!("name = \"{name}\"\nurl = \"{url}\"\ntimeout = \"500ms\"\n{more}\n");
        settings += "[[aggregation.sources]]\n";
        settings += &source;
    };
    let (mut upstreams, mut expected) = (Vec::new(), Vec::new());
    for (name, manner, status) in raw {
        let upstream = RawUpstream::start(manner).await;
        add(name, &upstream.url(), "");
        upstreams.push(upstream);
        expected.push((name, status));
    }
    add("good", &good.url(), "");
    add("metadata", &metadata.url(), "redirects = { to = [\"http://169.254.169.254\"] }");
    add("elsewhere", &elsewhere.url(), "");
    expected.extend([("metadata", "error"), ("elsewhere", "error")]);

    let app = TestApp::builder(topology, Sqlite).settings(&settings).start().await;
    let token = app.session_of("ada@example.org").await.access_token;
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    let path = format!("/api/data/aggregate?sources=good,{}", names.join(","));
    let process = app.processes.iter().map(Process::id).collect::<Vec<_>>();
    let before: u64 = process.iter().map(|id| resident(*id)).sum();
    for _ in 0..3 {
        let answer = app.get(&path).bearer(&token).send().await.must_be(200);
        assert_eq!(answer.header("x-aggregation-complete"), Some("false"));
        let body = answer.json();
        assert_eq!(body["data"]["good"], json!({"n": 1}));
        for (name, status) in &expected {
            let told = &body["meta"]["sources"][name];
            assert_eq!((&told["status"], &body["data"][name]), (&json!(status), &Value::Null), "{name}: {told}");
            let detail = told["detail"].as_str().unwrap();
            assert!(!detail.contains("127.0.0.1"), "addresses are nobody's business: {detail}");
        }
    }
    let grown = process.iter().map(|id| resident(*id)).sum::<u64>().saturating_sub(before);
    assert!(grown < 96 << 20, "it grew by {grown} bytes");
    assert_eq!(good.requests().await.len(), 3, "a redirect to what is configured elsewhere is not followed either");
}
