//! Bodies stream both ways and are bounded.

use std::time::Duration;

use serde_json::json;
use wiremock::ResponseTemplate;

use super::upstream;
use crate::support::{Backend, Manner, RawUpstream, TestApp, eventually};

#[tokio::test]
async fn large_bodies_pass_whole_both_ways() {
    let backend = Backend::start().await;
    let down: Vec<u8> = (0..20_000_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
    backend.answer(ResponseTemplate::new(200).set_body_bytes(down.clone())).await;
    let settings = upstream(&backend.url(), "", "body_limit = \"32MiB\"");
    let app = TestApp::simple().settings(&settings).start().await;
    let up = down[..18_000_000].to_vec();
    let reply = app.post("/u/a").body("application/octet-stream", up.clone()).send().await.must_be(200);
    assert!(reply.body == down, "{} bytes came back", reply.body.len());
    assert!(backend.requests().await[0].body == up);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let backend = Backend::answering(&json!({})).await;
    let settings = upstream(&backend.url(), "", "body_limit = \"1KiB\"");
    let app = TestApp::simple().settings(&settings).start().await;
    app.post("/u/a").body("text/plain", "x".repeat(1024)).send().await.must_be(200);
    app.post("/u/a").body("text/plain", "x".repeat(1025)).send().await.problem(413, "body-too-large");
    let chunks = (0..4).map(|_| Ok::<_, std::io::Error>("x".repeat(512)));
    let unannounced = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let reply = app.post("/u/a").body("text/plain", unannounced).attempt().await;
    assert!(reply.as_ref().map_or(true, |reply| reply.status == 413), "{reply:?}");
    assert_eq!(backend.requests().await.len(), 1);
}

#[tokio::test]
async fn an_answer_arrives_as_it_is_made() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n".to_vec();
    let raw = RawUpstream::start(Manner::Drip(head, Duration::from_millis(50))).await;
    let app = TestApp::simple().settings(&upstream(&raw.url(), "", "")).start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut answer = client.get(format!("{}/u/a", app.url)).send().await.unwrap();
    for _ in 0..3 {
        let piece = tokio::time::timeout(Duration::from_secs(2), answer.chunk()).await.expect("bytes come");
        assert!(!piece.unwrap().unwrap().is_empty());
    }
    // The client goes away: so does the call of the upstream.
    drop(answer);
    drop(client);
    let cancelled = eventually(Duration::from_secs(1), async || (raw.open_connections() == 0).then_some(()));
    assert!(cancelled.await.is_some(), "the upstream is still being read from");
}

#[tokio::test]
async fn a_client_that_goes_away_while_waiting_cancels_the_call() {
    let raw = RawUpstream::start(Manner::Hang).await;
    let app = TestApp::simple().settings(&upstream(&raw.url(), "", "")).start().await;
    let waiting = app.get("/u/a");
    let call = tokio::spawn(async move { waiting.attempt().await });
    assert!(eventually(Duration::from_secs(5), async || (raw.heads().len() == 1).then_some(())).await.is_some());
    call.abort();
    let cancelled = eventually(Duration::from_secs(1), async || (raw.open_connections() == 0).then_some(()));
    assert!(cancelled.await.is_some(), "the upstream still waits for nobody");
}
