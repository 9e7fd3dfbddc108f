//! Raw requests at the front door: what is refused, and that the connection ends with it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::upstream;
use crate::support::{Manner, RawUpstream, TestApp};

/// The answer to these bytes, and whether the connection was closed after it.
async fn exchange(app: &TestApp, bytes: &[u8]) -> (String, bool) {
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match timeout(Duration::from_secs(2), stream.read(&mut piece)).await {
            Ok(Ok(count)) if count > 0 => answer.extend_from_slice(&piece[..count]),
            Ok(_) => return (String::from_utf8_lossy(&answer).into_owned(), true),
            Err(_) => return (String::from_utf8_lossy(&answer).into_owned(), false),
        }
    }
}

fn unsized_upstream() -> Manner {
    Manner::Say(b"HTTP/1.1 200 OK\r\n\r\nto the end".to_vec())
}

#[tokio::test]
async fn what_is_refused_ends_the_connection() {
    let backend = RawUpstream::start(unsized_upstream()).await;
    let app = TestApp::simple().settings(&upstream(&backend.url(), "", "body_limit = \"1KiB\"")).start().await;
    let next = "GET /u/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let cases = [
        (
            "upgrade",
            400,
            format!("GET /u/a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n{next}"),
        ),
        (
            "upgrade of health",
            400,
            format!(
                "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc{next}"
            ),
        ),
        ("connect", 400, format!("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n{next}")),
        ("path", 400, "GET /u/%00 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (
            "chunked body",
            413,
            format!(
                "POST /u/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{}\r\n0\r\n\r\n",
                "x".repeat(2048)
            ),
        ),
        ("head", 431, format!("GET /u/a HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n", "x".repeat(70_000))),
    ];
    for (what, status, bytes) in cases {
        let (answer, closed) = exchange(&app, bytes.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        assert!(answer.contains("application/problem+json"), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: {answer}");
        assert!(closed, "{what}: {answer}");
    }
    assert!(!backend.heads().iter().any(|head| head.contains("smuggled")), "{:?}", backend.heads());
}

#[tokio::test]
async fn a_client_of_http_1_0_is_not_sent_chunks() {
    let backend = RawUpstream::start(unsized_upstream()).await;
    let app = TestApp::simple().settings(&upstream(&backend.url(), "", "")).start().await;
    let (answer, closed) = exchange(&app, b"GET /u/a HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert!(answer.ends_with("\r\n\r\nto the end"), "{answer}");
    assert!(!answer.contains("transfer-encoding"), "{answer}");
    assert!(closed);
}

#[tokio::test]
async fn a_local_role_that_is_too_slow_answers_like_any_other() {
    let settings = "[gateway]\ncors = { origins = [\"https://app.example\"], credentials = true }\n\
                    [[gateway.routes]]\nname = \"slow\"\npath = \"/slow/{*rest}\"\nupstream = \"auth\"\n\
                    rewrite = \"/auth/{rest}\"\ntimeout = \"1ms\"\n";
    let app = TestApp::simple().settings(settings).start().await;
    let body = serde_json::json!({"email": "nobody@example.org", "password": "a long password"});
    let reply = app.post("/slow/login").header("origin", "https://app.example").json(&body).send().await;
    reply.problem(504, "upstream-timeout");
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example"));
    for name in ["ratelimit", "ratelimit-policy", "x-request-id", "x-content-type-options"] {
        assert!(reply.header(name).is_some(), "{name}");
    }
}
