//! Clients that speak HTTP/2, over real sockets.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::rt::{spawn, task::spawn_blocking, time::sleep};
use bytes::Bytes;
use futures_util::{StreamExt as _, future::join_all, stream};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::Frame,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
};

use super::support::*;
use crate::platform::http::http2::Http2;

/// A request's body.
pub(super) type Sent = UnsyncBoxBody<Bytes, std::io::Error>;
pub(super) type Speaker = SendRequest<Sent>;

/// No body.
pub(super) fn nothing() -> Sent {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of announced length.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Sent {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that comes as it is given.
pub(super) fn given() -> (UnboundedSender<Bytes>, Sent) {
    let (giver, mut taker) = unbounded_channel::<Bytes>();
    let pieces = stream::poll_fn(move |cx| taker.poll_recv(cx)).map(|piece| Ok(Frame::data(piece)));
    (giver, StreamBody::new(pieces).boxed_unsync())
}

/// A connection of a client that knows that HTTP/2 is spoken.
pub(super) async fn speak(to: SocketAddr) -> Speaker {
    greet(TcpStream::connect(to).await.unwrap()).await
}

pub(super) async fn greet(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Speaker {
    let (sender, driver) = Builder::new(OfThisThread).handshake(TokioIo::new(stream)).await.unwrap();
    spawn(driver);
    sender
}

#[derive(Clone)]
struct OfThisThread;

impl<F: Future + 'static> hyper::rt::Executor<F> for OfThisThread {
    fn execute(&self, future: F) {
        spawn(future);
    }
}

/// A request for a path, with header lines.
pub(super) fn asking(method: &str, path: &str, headers: &[(&str, &str)], body: Sent) -> Request<Sent> {
    let request = Request::builder().method(method).uri(format!("http://front.example{path}"));
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(body).unwrap()
}

async fn ask(speaker: &Speaker, request: Request<Sent>) -> (StatusCode, http::HeaderMap, Bytes) {
    let (head, body) = speaker.clone().send_request(request).await.unwrap().into_parts();
    (head.status, head.headers, body.collect().await.unwrap().to_bytes())
}

#[actix_web::test]
async fn a_request_is_the_same_as_by_http_1() {
    let upstream = Upstream::ok("hello");
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let speaker = speak(front.address).await;
    let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("x-own", "y"), ("x-user-id", "forged")];
    let (status, headers, body) = ask(&speaker, asking("GET", "/u/x?y=z", &crumbs, nothing())).await;
    assert_eq!((status.as_u16(), &body[..]), (200, b"hello".as_slice()));
    assert_eq!(headers["content-length"], "5");
    assert!(headers.contains_key("x-request-id") && !headers.contains_key("connection"), "{headers:?}");
    let head = upstream.last_head();
    assert!(head.starts_with("GET /x?y=z HTTP/1.1\r\n"), "{head}");
    for line in ["via: 2.0 vestibule", "x-forwarded-host: front.example", "cookie: a=1; b=2", "x-own: y"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    assert!(!head.contains("forged") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(get(&front, "/u/x", "").await.status, 200, "HTTP/1.1 at the same port");
}

#[actix_web::test]
async fn bodies_of_any_length_pass_whole() {
    let upstream = Upstream::new(|head, stream| {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        if length.is_some() {
            stream.read_exact(&mut body).unwrap();
        } else {
            let mut byte = [0];
            while !body.ends_with(b"\r\n0\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                body.push(byte[0]);
            }
        }
        let count = String::from_utf8(body).unwrap().matches('z').count().to_string();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{count}", count.len()).is_ok()
    });
    let front = front(&config(&one_upstream(upstream.address, "", "body_limit = '4MiB'"))).await;
    let speaker = speak(front.address).await;
    let (status, _, body) = ask(&speaker, asking("POST", "/u/x", &[], whole(vec![b'z'; 3_000_000]))).await;
    assert_eq!((status.as_u16(), &body[..]), (200, b"3000000".as_slice()));
    let (giver, sent) = given();
    for _ in 0..30 {
        giver.send(vec![b'z'; 100_000].into()).unwrap();
    }
    drop(giver);
    let (status, _, body) = ask(&speaker, asking("POST", "/u/x", &[("expect", "100-continue")], sent)).await;
    assert_eq!((status.as_u16(), &body[..]), (200, b"3000000".as_slice()));
    let (giver, sent) = given();
    giver.send(vec![b'z'; 5_000_000].into()).unwrap();
    let refused = speaker.clone().send_request(asking("POST", "/u/x", &[], sent)).await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["x-code"].as_bytes()),
        (413, b"body-too-large".as_slice())
    );
}

#[actix_web::test]
async fn answers_without_a_body_have_none() {
    let upstream = Upstream::new(|head, stream| {
        let answer = match head.split(' ').nth(1) {
            Some("/204") => "HTTP/1.1 204 No Content\r\n\r\n",
            Some("/304") => "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\netag: \"e\"\r\n\r\n",
            Some("/empty") => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n",
        };
        stream.write_all(answer.as_bytes()).is_ok()
    });
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let speaker = speak(front.address).await;
    for (method, path, status, length) in [
        ("HEAD", "/u/x", 200, Some("7")),
        ("GET", "/u/204", 204, None),
        ("GET", "/u/304", 304, Some("7")),
        ("GET", "/u/empty", 200, Some("0")),
    ] {
        let answer = speaker.clone().send_request(asking(method, path, &[], nothing())).await.unwrap();
        let (head, body) = answer.into_parts();
        let told = head.headers.get("content-length").map(|value| value.to_str().unwrap());
        assert_eq!((head.status.as_u16(), told), (status, length), "{method} {path}");
        assert!(hyper::body::Body::is_end_stream(&body), "{method} {path}");
    }
}

#[actix_web::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let upstream = Upstream::ok("x");
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let speaker = speak(front.address).await;
    for (what, request) in [
        ("two hosts", asking("GET", "/u/x", &[("host", "other.example")], nothing())),
        ("the host twice", asking("GET", "/u/x", &[("host", "front.example"), ("host", "other.example")], nothing())),
        ("a tunnel", Request::connect("front.example:80").body(nothing()).unwrap()),
    ] {
        let answer = speaker.clone().send_request(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), 400, "{what}");
    }
    let (status, ..) = ask(&speaker, asking("GET", "/u/x", &[("host", "FRONT.example")], nothing())).await;
    assert_eq!((status.as_u16(), upstream.requests()), (200, 1));
    // Of HTTP/1.1 alone.
    for (name, value) in [("transfer-encoding", "chunked"), ("upgrade", "websocket"), ("te", "gzip")] {
        let answer = speaker.clone().send_request(asking("GET", "/u/x", &[(name, value)], nothing())).await;
        let upgraded = upstream.heads.lock().unwrap().iter().any(|head| head.contains(value));
        assert!(!upgraded, "{name}: {:?}", answer.map(|answer| answer.status()));
    }
}

#[actix_web::test]
async fn a_head_that_is_too_long_is_refused_alone() {
    let upstream = Upstream::ok("x");
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    // hyper's client would not send it.
    let long = "x".repeat(1000);
    let mut block = vec![0x82, 0x86, 0x04, 4, b'/', b'u', b'/', b'x', 0x01, 1, b'a'];
    for number in 0..80 {
        block.extend_from_slice(&[0x00, 4]);
        block.extend_from_slice(format!("x-{number:02}").as_bytes());
        block.extend_from_slice(&[0x7f, 0xe9, 0x06]);
        block.extend_from_slice(long.as_bytes());
    }
    let address = front.address;
    let statuses = spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        frame(&mut stream, 4, 0, 0, &[]);
        let mut pieces = block.chunks(16_000).peekable();
        let mut kind = 1;
        while let Some(piece) = pieces.next() {
            let flags = u8::from(kind == 1) | (u8::from(pieces.peek().is_none()) << 2);
            frame(&mut stream, kind, flags, 1, piece);
            kind = 9;
        }
        frame(&mut stream, 1, 5, 3, &[0x82, 0x86, 0x04, 4, b'/', b'u', b'/', b'x', 0x01, 1, b'a']);
        let mut ends = Vec::new();
        while ends.len() < 2 {
            let (kind, stream_id, payload) = read_frame(&mut stream).expect("the connection goes on");
            // The head of an answer, or its reset.
            if matches!(kind, 1 | 3) {
                ends.push((stream_id, kind, payload[0]));
            }
        }
        ends
    })
    .await
    .unwrap();
    let of = |stream| statuses.iter().find(|(id, ..)| *id == stream).copied().unwrap();
    // An indexed `:status: 200` for the second; for the first something else.
    assert_eq!(of(3), (3, 1, 0x88));
    assert_ne!(of(1).2, 0x88);
    assert_eq!(upstream.requests(), 1);
}

fn frame(stream: &mut std::net::TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(payload);
    stream.write_all(&bytes).unwrap();
}

fn read_frame(stream: &mut std::net::TcpStream) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
    stream.read_exact(&mut payload).ok()?;
    Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
}

/// An upstream that never answers, and how many of its connections are open.
fn silent() -> (Upstream, Arc<AtomicUsize>) {
    let open = Arc::new(AtomicUsize::new(0));
    let counted = open.clone();
    let upstream = Upstream::new(move |_, stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = stream.read(&mut [0]);
        counted.fetch_sub(1, Ordering::SeqCst);
        false
    });
    (upstream, open)
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}");
}

#[actix_web::test]
async fn a_reset_cancels_the_call() {
    let (upstream, open) = silent();
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let speaker = speak(front.address).await;
    let waiting = spawn(speaker.clone().send_request(asking("GET", "/u/x", &[], nothing())));
    eventually("the upstream is called", || open.load(Ordering::SeqCst) == 1).await;
    waiting.abort();
    eventually("the call is cancelled", || open.load(Ordering::SeqCst) == 0).await;
}

#[actix_web::test]
async fn many_resets_end_the_connection_and_no_other() {
    let (upstream, open) = silent();
    let toml = one_upstream(upstream.address, "", "");
    let bounds = Http2 { max_resets: 20, ..bounds() };
    let front = front_bounded(&config(&toml), None, Some(bounds)).await;
    let (flood, neighbour) = (speak(front.address).await, speak(front.address).await);
    for number in 0..200 {
        if flood.is_closed() {
            break;
        }
        let mut sender = flood.clone();
        let asked = spawn(async move { sender.send_request(asking("GET", "/u/x", &[], nothing())).await.is_ok() });
        sleep(Duration::from_millis(u64::from(number % 2 == 0))).await;
        asked.abort();
    }
    eventually("the connection is closed", || flood.is_closed()).await;
    eventually("nothing of it goes on", || open.load(Ordering::SeqCst) == 0).await;
    let (status, ..) = ask(&neighbour, asking("GET", "/health", &[], nothing())).await;
    assert_eq!(status.as_u16(), 200);
    assert!(!neighbour.is_closed());
}

#[actix_web::test]
async fn an_upstream_that_does_not_read_holds_the_client_back() {
    let (done, over) = std::sync::mpsc::channel::<()>();
    let (over, open) = (std::sync::Mutex::new(over), Arc::new(AtomicUsize::new(0)));
    let called = open.clone();
    let upstream = Upstream::new(move |_, _| {
        called.fetch_add(1, Ordering::SeqCst);
        over.lock().unwrap().recv().is_ok()
    });
    let front = front(&config(&one_upstream(upstream.address, "", "body_limit = '1GiB'"))).await;
    let speaker = speak(front.address).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    let piece = Bytes::from(vec![0; 1 << 16]);
    let endless = stream::repeat_with(move || {
        counted.fetch_add(1 << 16, Ordering::SeqCst);
        Ok(Frame::data(piece.clone()))
    });
    let body = StreamBody::new(endless).boxed_unsync();
    let waiting = spawn(speaker.clone().send_request(asking("POST", "/u/x", &[], body)));
    eventually("the upstream is called", || open.load(Ordering::SeqCst) == 1).await;
    let mut before = 0;
    loop {
        sleep(Duration::from_millis(300)).await;
        let now = taken.swap(taken.load(Ordering::SeqCst), Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    // The sockets' buffers on both sides, the window, and what the client itself keeps.
    assert!(before < 64 << 20, "{before} bytes were taken");
    waiting.abort();
    drop(done);
}

#[actix_web::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let upstream = Upstream::new(|_, stream| {
        std::thread::sleep(Duration::from_millis(1500));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx").is_ok()
    });
    let bounds = Http2 { idle_timeout: Duration::from_millis(300), ..bounds() };
    let front = front_bounded(&config(&one_upstream(upstream.address, "", "")), None, Some(bounds)).await;
    let speaker = speak(front.address).await;
    let (status, ..) = ask(&speaker, asking("GET", "/u/x", &[], nothing())).await;
    assert_eq!(status.as_u16(), 200);
    eventually("the idle connection is closed", || speaker.is_closed()).await;
    let address = front.address;
    let greeted_only = spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).is_ok()
    });
    assert!(greeted_only.await.unwrap());
}

#[actix_web::test]
async fn first_bytes_may_come_in_pieces_or_not_at_all() {
    let upstream = Upstream::ok("x");
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    for (pieces, starts) in [
        (["P", "OST /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"], "HTTP/1.1 200"),
        (["PRI * HTTP/1.1\r\n", "host: a\r\n\r\n"], "HTTP/1.1 400"),
        (["PRI * HT", "TP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"], "\0\0"),
        (["", ""], "HTTP/1.1 408"),
        (["PR", ""], "HTTP/1.1 408"),
    ] {
        let address = front.address;
        let answer = spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(30));
            }
            let mut answer = vec![0; starts.len()];
            stream.read_exact(&mut answer).unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        });
        assert_eq!(answer.await.unwrap(), starts, "{pieces:?}");
    }
}

#[actix_web::test]
async fn a_broken_answer_does_not_look_whole() {
    let upstream = Upstream::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        false
    });
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let speaker = speak(front.address).await;
    // The reset may overtake the head.
    if let Ok(answer) = speaker.clone().send_request(asking("GET", "/u/x", &[], nothing())).await {
        assert!(answer.into_body().collect().await.is_err());
    }
    let many = join_all((0..50).map(|_| ask(&speaker, asking("GET", "/health", &[], nothing())))).await;
    assert!(many.iter().all(|(status, ..)| status.as_u16() == 200), "the connection goes on");
}
