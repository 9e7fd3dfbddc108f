//! One path for matching, authorising and forwarding.

use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::upstream;
use crate::support::{Backend, TestApp};

/// Sends bytes as they are and reads until the other side closes, which it must.
async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let address = app.url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(ended.is_ok(), "the connection is kept after {answer}");
    answer
}

#[tokio::test]
async fn ambiguous_paths_are_refused_and_others_become_canonical() {
    let backend = Backend::answering(&json!({})).await;
    let app = TestApp::simple().settings(&upstream(&backend.url(), "", "")).start().await;
    for path in ["/u/a%2fb", "/u/a%5cb", "/u/a\\b", "/u/a%00b", "/u/%252e%252e/x", "/u/%zz", "/u/a%2"] {
        let answer = raw(&app, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
        assert!(answer.contains("malformed-request"), "{path}: {answer}");
    }
    assert_eq!(backend.requests().await.len(), 0);
    for path in ["/u//a/./b", "/x/../u/a/b", "/u/%61/b", "/u/a/b/c/.."] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = raw(&app, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let paths: Vec<_> = backend.requests().await.iter().map(|request| request.url.path().to_owned()).collect();
    for path in &paths {
        assert_eq!(path.trim_end_matches('/'), "/a/b", "{paths:?}");
    }
}

#[rstest]
#[case::length_and_chunked("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "HTTP/1.1")]
#[case::two_lengths("Content-Length: 3\r\nContent-Length: 4\r\n", "HTTP/1.1")]
#[case::same_length_twice("Content-Length: 3\r\nContent-Length: 3\r\n", "HTTP/1.1")]
#[case::chunked_in_1_0("Transfer-Encoding: chunked\r\n", "HTTP/1.0")]
#[case::odd_coding("Transfer-Encoding: xchunked\r\n", "HTTP/1.1")]
#[case::space_before_colon("Content-Length : 3\r\n", "HTTP/1.1")]
#[case::negative_length("Content-Length: -3\r\n", "HTTP/1.1")]
#[case::plus_length("Content-Length: +3\r\n", "HTTP/1.1")]
#[tokio::test]
async fn ambiguous_framing_is_refused_and_the_connection_closed(#[case] headers: &str, #[case] version: &str) {
    let backend = Backend::answering(&json!({})).await;
    let app = TestApp::simple().settings(&upstream(&backend.url(), "", "")).start().await;
    let smuggled = "GET /u/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let request = format!("POST /u/a {version}\r\nHost: x\r\n{headers}\r\n0\r\n\r\n{smuggled}");
    let answer = raw(&app, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.0 400"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
    assert_eq!(backend.requests().await.len(), 0);
}

#[tokio::test]
async fn an_upgrade_is_refused_where_nothing_allows_it() {
    let backend = Backend::answering(&json!({})).await;
    let app = TestApp::simple().settings(&upstream(&backend.url(), "", "")).start().await;
    let answer = raw(&app, b"GET /u/a HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(backend.requests().await.len(), 0);
}

#[tokio::test]
async fn large_heads_are_bounded() {
    let backend = Backend::answering(&json!({})).await;
    let app = TestApp::simple().settings(&upstream(&backend.url(), "", "")).start().await;
    let long = "x".repeat(8 * 1024);
    app.get("/u/a").header("x-long", &long).send().await.must_be(200);
    let mut many = app.get("/u/a");
    for index in 0..60 {
        many = many.header(&format!("x-many-{index}"), "v");
    }
    many.send().await.must_be(200);
    let head = format!("GET /u/a HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(200 * 1024));
    let answer = raw(&app, head.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{}", &answer[..answer.len().min(200)]);
}
