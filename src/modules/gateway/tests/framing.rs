//! Requests as raw bytes: each is refused, or there is one way to read it.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use super::support::*;

const NEXT: &str = "GET /u/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
const CHUNKED: &str = "POST /u/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

/// All that comes back for these bytes, until the end or a second of silence.
async fn exchange(front: &Front, bytes: impl Into<Vec<u8>>) -> (String, bool) {
    let (address, bytes) = (front.address, bytes.into());
    let work = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(2500))).unwrap();
        let _ = stream.write_all(&bytes);
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            match stream.read(&mut piece) {
                Ok(0) => return (String::from_utf8_lossy(&answer).into_owned(), true),
                Ok(count) => answer.extend_from_slice(&piece[..count]),
                Err(error) => {
                    let closed = error.kind() == std::io::ErrorKind::ConnectionReset;
                    return (String::from_utf8_lossy(&answer).into_owned(), closed);
                }
            }
        }
    };
    actix_web::rt::task::spawn_blocking(work).await.unwrap()
}

/// Requests that are refused: with one answer at most, an end of the connection, and nothing sent on.
fn refused() -> Vec<(&'static str, String)> {
    let post = |headers: &str, rest: &str| format!("POST /u/x HTTP/1.1\r\nhost: a\r\n{headers}\r\n{rest}{NEXT}");
    let get = |headers: &str| format!("GET /u/x HTTP/1.1\r\nhost: a\r\n{headers}\r\n{NEXT}");
    let line = |line: &str| format!("{line}\r\nhost: a\r\n\r\n{NEXT}");
    let chunks = |chunks: &str| format!("{CHUNKED}{chunks}{NEXT}");
    vec![
        ("length and coding", post("content-length: 6\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n")),
        ("coding and length", post("transfer-encoding: chunked\r\ncontent-length: 6\r\n", "0\r\n\r\n")),
        ("two lengths", post("content-length: 1\r\ncontent-length: 2\r\n", "a")),
        ("the same length twice", post("content-length: 1\r\ncontent-length: 1\r\n", "a")),
        ("a list of lengths", post("content-length: 1, 1\r\n", "a")),
        ("a signed length", post("content-length: +1\r\n", "a")),
        ("a negative length", post("content-length: -1\r\n", "a")),
        ("a hexadecimal length", post("content-length: 0x1\r\n", "a")),
        ("an empty length", post("content-length:\r\n", "")),
        ("a length beyond all numbers", post("content-length: 99999999999999999999999\r\n", "a")),
        ("a length in words", post("content-length: one\r\n", "a")),
        ("coding identity", post("transfer-encoding: identity\r\n", "")),
        ("coding gzip", post("transfer-encoding: gzip\r\n", "")),
        ("gzip, chunked", post("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n")),
        ("chunked, gzip", post("transfer-encoding: chunked, gzip\r\n", "0\r\n\r\n")),
        ("chunked twice", post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n")),
        ("chunked, chunked", post("transfer-encoding: chunked, chunked\r\n", "0\r\n\r\n")),
        ("xchunked", post("transfer-encoding: xchunked\r\n", "0\r\n\r\n")),
        ("quoted coding", post("transfer-encoding: \"chunked\"\r\n", "0\r\n\r\n")),
        ("a vertical tab before the coding", post("transfer-encoding: \u{b}chunked\r\n", "0\r\n\r\n")),
        ("a folded coding", post("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n")),
        ("a folded header", get("x-a: 1\r\n 2\r\n")),
        ("a folded first header", format!("GET /u/x HTTP/1.1\r\n host: a\r\n\r\n{NEXT}")),
        ("a space before the colon", post("content-length : 1\r\n", "a")),
        ("a space in a name", get("x a: 1\r\n")),
        ("no colon", get("x-a\r\n")),
        ("no name", get(": 1\r\n")),
        ("NUL in a value", get("x-a: 1\x002\r\n")),
        ("NUL in a name", get("x-\0a: 1\r\n")),
        ("a bare CR in a value", get("x-a: 1\r2\r\n")),
        ("a bare LF after the request line", format!("GET /u/x HTTP/1.1\nhost: a\r\n\r\n{NEXT}")),
        ("a bare LF after a header", format!("GET /u/x HTTP/1.1\r\nhost: a\n\r\n{NEXT}")),
        ("a bare LF at the end", format!("GET /u/x HTTP/1.1\r\nhost: a\r\n\n{NEXT}")),
        ("bare LFs", format!("GET /u/x HTTP/1.1\nhost: a\n\n{NEXT}")),
        (
            "a length behind a bare LF",
            format!("POST /u/x HTTP/1.1\r\nhost: a\r\nx-a: 1\ncontent-length: {}\r\n\r\n{NEXT}", NEXT.len()),
        ),
        ("two hosts", get("host: b\r\n")),
        ("no host", format!("GET /u/x HTTP/1.1\r\n\r\n{NEXT}")),
        ("a host with a path", format!("GET /u/x HTTP/1.1\r\nhost: a/b\r\n\r\n{NEXT}")),
        ("a host with a user", format!("GET /u/x HTTP/1.1\r\nhost: u@a\r\n\r\n{NEXT}")),
        ("an absolute target of another host", line("GET http://b/u/x HTTP/1.1")),
        ("CONNECT", format!("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n{NEXT}")),
        ("CONNECT of a path", line("CONNECT /u/x HTTP/1.1")),
        ("the form of an authority", line("GET a:80 HTTP/1.1")),
        ("no path", line("GET u/x HTTP/1.1")),
        ("a space in the path", line("GET /u/x y HTTP/1.1")),
        ("HTTP/0.9", "GET /u/x\r\n\r\n".to_owned()),
        ("HTTP/1.2", line("GET /u/x HTTP/1.2")),
        ("HTTP/2.0", line("GET /u/x HTTP/2.0")),
        ("http/1.1", line("GET /u/x http/1.1")),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("a TLS handshake", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}".to_owned()),
        (
            "HTTP/1.0 with chunks",
            format!("POST /u/x HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{NEXT}"),
        ),
        ("HTTP/1.0 POST without length", format!("POST /u/x HTTP/1.0\r\nhost: a\r\n\r\n{NEXT}")),
        ("a space before the request line", format!(" GET /u/x HTTP/1.1\r\nhost: a\r\n\r\n{NEXT}")),
        ("bare LFs before the request line", format!("\n\nGET /u/x HTTP/1.1\r\nhost: a\r\n\r\n{NEXT}")),
        (
            "many empty lines before the request line",
            format!("{}GET /u/x HTTP/1.1\r\nhost: a\r\n\r\n{NEXT}", "\r\n".repeat(9)),
        ),
        ("a path that climbs out", line("GET /u/%2e%2e%2fadmin HTTP/1.1")),
        ("a backslash", line("GET /u\\x HTTP/1.1")),
        ("a chunk size in words", chunks("one\r\na\r\n0\r\n\r\n")),
        ("a chunk size with a sign", chunks("+1\r\na\r\n0\r\n\r\n")),
        ("a chunk size with 0x", chunks("0x1\r\na\r\n0\r\n\r\n")),
        ("a chunk size beyond all numbers", chunks("fffffffffffffffff\r\na\r\n0\r\n\r\n")),
        ("a chunk size of almost all numbers", chunks("fffffffffffffffe\r\na\r\n0\r\n\r\n")),
        ("no chunk size", chunks("\r\na\r\n0\r\n\r\n")),
        ("a bare LF after a chunk size", chunks("1\na\r\n0\r\n\r\n")),
        ("a bare LF after a chunk", chunks("1\r\na\n0\r\n\r\n")),
        ("a chunk longer than its size", chunks("1\r\nab\r\n0\r\n\r\n")),
        ("a bare LF in an extension", chunks("1;a\nb\r\na\r\n0\r\n\r\n")),
        ("a long extension", chunks(&format!("1;{}\r\na\r\n0\r\n\r\n", "a".repeat(1000)))),
        ("many extensions", chunks(&format!("{}0\r\n\r\n", format!("1;{}\r\na\r\n", "a".repeat(200)).repeat(200)))),
        ("a bare LF at the end of the body", chunks("0\r\n\n")),
        ("a bare LF in a trailer", chunks("0\r\nx-a: 1\n\r\n")),
        ("a trailer without a colon", chunks("0\r\nx-a\r\n\r\n")),
        ("a folded trailer", chunks("0\r\nx-a: 1\r\n 2\r\n\r\n")),
        ("long trailers", chunks(&format!("0\r\nx-a: {}\r\n\r\n", "a".repeat(20_000)))),
        ("many trailers", chunks(&format!("0\r\n{}\r\n", "x-a: 1\r\n".repeat(3000)))),
        ("a long head", get(&format!("x-a: {}\r\n", "a".repeat(70_000)))),
        ("a head without end", format!("GET /u/x HTTP/1.1\r\nhost: a\r\nx-a: {}", "a".repeat(200_000))),
        ("many headers", get(&"x-a: 1\r\n".repeat(200))),
        ("a long request line", line(&format!("GET /u/{} HTTP/1.1", "a".repeat(70_000)))),
        (
            "an upgrade with a body",
            format!(
                "GET /u/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: {}\r\n\r\n{NEXT}",
                NEXT.len()
            ),
        ),
        (
            "an upgrade nobody allows",
            format!("GET /u/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n{NEXT}"),
        ),
    ]
}

#[actix_web::test]
async fn ambiguous_requests_are_refused() {
    let upstream = Upstream::ok("x");
    let toml = one_upstream(upstream.address, "idle_timeout = '1s'", "");
    let front = front_bounded(&config(&toml), None, None).await;
    let cases = refused();
    assert!(cases.len() >= 40);
    let mut wrong = Vec::new();
    for (what, bytes) in cases {
        let (answer, closed) = exchange(&front, bytes).await;
        let answers = answer.matches("HTTP/1.1 ").count() + answer.matches("HTTP/1.0 ").count();
        let is_problem = ["application/problem+json", "x-request-id: ", "connection: close", "\"code\":"]
            .iter()
            .all(|part| answer.contains(part));
        if !closed || answers != 1 || answer.get(9..10) != Some("4") || !is_problem {
            wrong.push(format!("{what}: closed {closed}, {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let heads = upstream.heads.lock().unwrap().clone();
    assert!(!heads.iter().any(|head| head.contains("smuggled")), "{heads:?}");
    // A body that turns out to be wrong was under way already; nothing else was sent on.
    assert!(heads.iter().all(|head| head.starts_with("POST /x HTTP/1.1\r\n")), "{heads:?}");
}

#[actix_web::test]
async fn what_can_be_read_in_one_way_is_passed_on_as_such() {
    // It knows no bodies: the end of one looks like a head, and gets no answer.
    let upstream = Upstream::new(|head, stream| {
        !head.contains(" HTTP/1.1\r\n") || stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx").is_ok()
    });
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let end = "GET /u/end HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for (what, bytes, paths) in [
        (
            "one after the other",
            "GET /u/a HTTP/1.1\r\nhost: a\r\n\r\nGET /u/b HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            "/a /b",
        ),
        ("an empty line before", "\r\nGET /u/a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "/a"),
        ("an empty line between", "GET /u/a HTTP/1.1\r\nhost: a\r\n\r\n\r\n".to_owned(), "/a"),
        ("no body", "POST /u/a HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n".to_owned(), "/a"),
        ("GET with a body", "GET /u/a HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab".to_owned(), "/a"),
        ("a padded length", "POST /u/a HTTP/1.1\r\nhost: a\r\ncontent-length: \t 2 \r\n\r\nab".to_owned(), "/a"),
        (
            "chunks",
            "POST /u/a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n1;x=y\r\na\r\n01\r\nb\r\n0\r\n\r\n"
                .to_owned(),
            "/a",
        ),
        (
            "trailers",
            "POST /u/a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-a: 1\r\n\r\n"
                .to_owned(),
            "/a",
        ),
        ("the same host twice over", "GET http://a/u/a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "/a"),
        ("bytes beyond ASCII", "GET /u/a HTTP/1.1\r\nhost: a\r\nx-a: \u{e9}\r\n\r\n".to_owned(), "/a"),
    ] {
        upstream.heads.lock().unwrap().clear();
        let (answer, closed) = exchange(&front, format!("{bytes}{end}")).await;
        let heads = upstream.heads.lock().unwrap().clone();
        // The upstream's reading knows no bodies: what stands before a request line belongs to the body of the one before.
        let seen = heads.iter().filter_map(|head| head.lines().find_map(|line| line.strip_suffix(" HTTP/1.1")));
        let seen: Vec<_> = seen.filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(seen.join(" "), format!("{paths} /end"), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 200").count(), seen.len(), "{what}: {answer}");
        assert!(closed, "{what}");
    }
}

#[actix_web::test]
async fn a_head_that_stops_on_a_used_connection_is_answered_408() {
    let upstream = Upstream::ok("x");
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let begun = "GET /u/a HTTP/1.1\r\nhost: a\r\n\r\nGET /u/b HTTP/1.1\r\nhost: ";
    let (answer, closed) = exchange(&front, begun).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("HTTP/1.1 408 Request Timeout"), "{answer}");
    assert!(answer.contains("\"code\":\"request-timeout\"") && answer.contains("x-request-id: "), "{answer}");
    assert!(closed);
    assert_eq!(upstream.requests(), 1);
    // On a new one too, and when nothing comes at all.
    for begun in ["GET /u/b HTTP/1.1\r\nhost: ", ""] {
        let (answer, closed) = exchange(&front, begun).await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"code\":\"request-timeout\""), "{answer}");
        assert!(closed && answer.matches("HTTP/1.1 ").count() == 1, "{begun:?}: {answer}");
    }
}

#[actix_web::test]
async fn the_body_is_asked_for_when_it_is_wanted() {
    let upstream = Upstream::ok("x");
    let front_one = front(&config(&one_upstream(upstream.address, "", "body_limit = '10B'"))).await;
    let expecting = |length: u32| {
        format!("POST /u/a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n")
    };
    let (answer, closed) = exchange(&front_one, expecting(11)).await;
    assert!(answer.starts_with("HTTP/1.1 413") && closed, "{answer}");
    let guarded = front(&config(&one_upstream(upstream.address, "", "auth = 'required'"))).await;
    let (answer, _) = exchange(&guarded, expecting(5)).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(upstream.requests(), 0);

    let address = front_one.address;
    let work = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        // After another answer, so that both go through the same buffers.
        stream.write_all(format!("GET /u/z HTTP/1.1\r\nhost: a\r\n\r\n{}", expecting(5)).as_bytes()).unwrap();
        assert_eq!(read_answer(&mut stream, false).status, 200);
        assert_eq!(read_answer(&mut stream, true).status, 100);
        stream.write_all(b"hello").unwrap();
        assert_eq!(read_answer(&mut stream, false).status, 200);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        stream.write_all(expecting(5).replace("/u/a", "/auth/x").as_bytes()).unwrap();
        assert_eq!(read_answer(&mut stream, true).status, 100, "a role of this process");
        stream.write_all(b"hello").unwrap();
        assert_eq!(read_answer(&mut stream, false).text(), "inner POST /auth/x 5");
    };
    actix_web::rt::task::spawn_blocking(work).await.unwrap();
}
