//! Connections that cost without asking for anything.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::TestApp;

/// What comes back, and when the other side closed.
async fn until_closed(mut stream: TcpStream, within: Duration) -> (String, Duration) {
    let start = Instant::now();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(within, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "still open after {within:?}: {}", String::from_utf8_lossy(&answer));
    (String::from_utf8_lossy(&answer).into_owned(), start.elapsed())
}

#[tokio::test]
async fn slow_heads_are_closed_and_nobody_else_waits() {
    let app = TestApp::simple().settings("[server]\nhead_timeout = \"1s\"").start().await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let silent = TcpStream::connect(&address).await.unwrap();
    let mut slow = TcpStream::connect(&address).await.unwrap();
    slow.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    app.get("/health/live").send().await.must_be(200);
    for (what, stream) in [("silent", silent), ("slow", slow)] {
        let (answer, took) = until_closed(stream, Duration::from_secs(8)).await;
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request-timeout"), "{what}: {answer}");
        assert!(took < Duration::from_secs(6), "{what}: {took:?}");
    }
}

#[tokio::test]
async fn many_idle_connections_leave_room_for_others() {
    let app = TestApp::simple().start().await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(&address).await.unwrap());
    }
    let start = Instant::now();
    app.get("/health/live").send().await.must_be(200);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}
