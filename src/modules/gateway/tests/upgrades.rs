//! Connections that change their protocol.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::support::*;

const CHANGED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: raw\r\nx-kept: 1\r\n\r\n";
const ASK: &str = "GET /u/x HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: raw\r\n\r\n";

/// A target that changes to `raw` and sends back what it gets.
fn echo() -> Upstream {
    Upstream::new(|_, stream| {
        stream.write_all(CHANGED.as_bytes()).unwrap();
        let mut bytes = [0; 4096];
        while let Ok(count) = stream.read(&mut bytes) {
            if count == 0 || stream.write_all(&bytes[..count]).is_err() {
                return false;
            }
        }
        false
    })
}

async fn started(upstream: &Upstream, of_upstream: &str) -> Front {
    front(&config(&one_upstream(upstream.address, of_upstream, "upgrade = ['websocket', 'raw']"))).await
}

/// A client that has asked, and the answer's head.
fn ask(front: &Front, bytes: &str) -> (TcpStream, Answer) {
    let mut stream = TcpStream::connect(front.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let answer = read_answer(&mut stream, true);
    (stream, answer)
}

fn read(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    actix_web::rt::task::spawn_blocking(work).await.unwrap()
}

#[actix_web::test]
async fn bytes_go_both_ways_once_both_sides_agreed() {
    let upstream = echo();
    let front = Arc::new(started(&upstream, "").await);
    for token in ["raw", "websocket"] {
        let own = front.clone();
        let asking = ASK.replace("raw", token);
        let answer = blocking(move || {
            let (mut stream, answer) = ask(&own, &asking);
            if answer.status == 101 {
                stream.write_all(b"GET /u/smuggled HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
                assert_eq!(read(&mut stream, 10), "GET /u/smu");
                stream.shutdown(Shutdown::Write).unwrap();
                let mut rest = String::new();
                stream.read_to_string(&mut rest).unwrap();
                assert!(rest.ends_with("\r\n\r\n"), "{rest}");
            }
            answer
        });
        let answer = answer.await;
        if token == "raw" {
            assert_eq!(
                (answer.status, answer.header("upgrade"), answer.header("x-kept")),
                (101, Some("raw"), Some("1"))
            );
            assert_eq!(answer.header("connection"), Some("upgrade"));
            assert!(answer.header("transfer-encoding").is_none() && answer.header("content-length").is_none());
        } else {
            assert_eq!((answer.status, answer.code()), (502, "bad-gateway"), "the target changed to another protocol");
        }
    }
    let heads = upstream.heads.lock().unwrap().clone();
    assert_eq!(heads.len(), 2, "{heads:?}");
    assert!(heads[0].contains("upgrade: raw\r\n") && heads[0].contains("connection: upgrade\r\n"), "{heads:?}");
}

#[actix_web::test]
async fn what_comes_too_early_waits_for_the_101() {
    let (tell, told) = mpsc::channel();
    let upstream = Upstream::new(move |_, stream| {
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut bytes = [0; 5];
        let before = stream.read_exact(&mut bytes).is_ok();
        stream.write_all(CHANGED.as_bytes()).unwrap();
        stream.write_all(b"first").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.read_exact(&mut bytes).unwrap();
        tell.send((before, bytes)).unwrap();
        true
    });
    let front = started(&upstream, "").await;
    blocking(move || {
        let (mut stream, answer) = ask(&front, &format!("{ASK}early"));
        assert_eq!((answer.status, read(&mut stream, 5).as_str()), (101, "first"));
        assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), (false, *b"early"));
    })
    .await;
}

#[actix_web::test]
async fn an_answer_without_change_ends_the_connection() {
    for status in ["200 OK", "403 Forbidden", "426 Upgrade Required"] {
        let upstream =
            Upstream::new(move |_, stream| write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nno").is_ok());
        let front = started(&upstream, "").await;
        for token in ["raw", "websocket"] {
            let asking = ASK.replace("raw", token) + "GET /u/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
            let address = front.address;
            let answer = blocking(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                stream.write_all(asking.as_bytes()).unwrap();
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer);
                String::from_utf8(answer).unwrap()
            });
            let answer = answer.await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {}", &status[..3])), "{answer}");
            assert!(answer.ends_with("\r\n\r\nno") && answer.contains("connection: close"), "{answer}");
        }
        assert!(!upstream.heads.lock().unwrap().iter().any(|head| head.contains("smuggled")));
    }
}

#[actix_web::test]
async fn an_unclear_wish_is_refused() {
    let upstream = echo();
    let front_one = started(&upstream, "").await;
    for head in [
        ASK.replace("upgrade: raw", "upgrade: h2c"),
        ASK.replace("upgrade: raw", "upgrade: raw, websocket"),
        ASK.replace("upgrade: raw", "upgrade: raw\r\nupgrade: raw"),
        ASK.replace("upgrade: raw", "upgrade: "),
        ASK.replace("Upgrade\r\n", "x\r\n"),
        ASK.replace("HTTP/1.1", "HTTP/1.0"),
        ASK.replace("host: a", "host: a\r\ncontent-length: 3"),
        ASK.replace("host: a", "host: a\r\ntransfer-encoding: chunked"),
        ASK.replace("upgrade: raw", "upgrade: websocket").replace("host: a", "host: a\r\ncontent-length: 3"),
        ASK.replace("/u/x", "/auth/me"),
        ASK.replace("/u/x", "/health"),
    ] {
        let answer = raw(&front_one, format!("{head}abc")).await;
        assert_eq!(answer.status, 400, "{head}");
        // A client of HTTP/1.0 takes it for granted.
        let says_so = answer.header("connection") == Some("close");
        assert!(says_so || head.contains("HTTP/1.0"), "{head}");
    }
    let silent = front(&config(&one_upstream(upstream.address, "", ""))).await;
    assert_eq!(raw(&silent, ASK).await.status, 400);
    let guarded = front(&config(&one_upstream(upstream.address, "", "upgrade = ['raw']\nauth = 'required'"))).await;
    let answer = raw(&guarded, ASK).await;
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    assert_eq!(upstream.requests(), 0);
}

#[actix_web::test]
async fn a_client_that_disappears_takes_the_tunnel_with_it() {
    let (gone, seen) = mpsc::channel();
    let upstream = Upstream::new(move |_, stream| {
        stream.write_all(CHANGED.as_bytes()).unwrap();
        let _ = stream.read(&mut [0]);
        gone.send(Instant::now()).unwrap();
        false
    });
    let front_one = started(&upstream, "max_in_flight = 1").await;
    let front_one = Arc::new(front_one);
    let own = front_one.clone();
    blocking(move || {
        let (stream, answer) = ask(&own, ASK);
        assert_eq!(answer.status, 101);
        let (_, second) = ask(&own, ASK);
        assert_eq!((second.status, second.code()), (503, "overloaded"), "a tunnel is in flight");
        let left = Instant::now();
        drop(stream);
        let noticed = seen.recv_timeout(Duration::from_secs(3)).unwrap();
        assert!(noticed.duration_since(left) < Duration::from_secs(1));
        thread::sleep(Duration::from_millis(200));
        assert_eq!(ask(&own, ASK).1.status, 101, "its place is free again");
    })
    .await;
}

#[actix_web::test]
async fn a_silent_tunnel_ends() {
    let upstream = echo();
    let front = started(&upstream, "idle_timeout = '400ms'").await;
    blocking(move || {
        let (mut stream, answer) = ask(&front, ASK);
        assert_eq!(answer.status, 101);
        for _ in 0..4 {
            thread::sleep(Duration::from_millis(200));
            stream.write_all(b"x").unwrap();
            assert_eq!(read(&mut stream, 1), "x");
        }
        let silent = Instant::now();
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
        assert!((300..1500).contains(&silent.elapsed().as_millis()), "{:?}", silent.elapsed());
    })
    .await;
}

#[actix_web::test]
async fn neither_direction_waits_for_the_other_and_nothing_piles_up() {
    let sent = Arc::new(AtomicUsize::new(0));
    let (counted, (tell, told)) = (sent.clone(), mpsc::channel());
    let upstream = Upstream::new(move |_, stream| {
        stream.write_all(CHANGED.as_bytes()).unwrap();
        let mut flood = stream.try_clone().unwrap();
        let counted = counted.clone();
        thread::spawn(move || {
            let bytes = vec![7; 65536];
            while flood.write_all(&bytes).is_ok() {
                counted.fetch_add(65536, Ordering::Relaxed);
            }
        });
        let mut got = vec![0; 1 << 20];
        tell.send(stream.read_exact(&mut got).is_ok()).unwrap();
        let _ = stream.read(&mut [0]);
        false
    });
    let front = started(&upstream, "").await;
    blocking(move || {
        let (mut stream, answer) = ask(&front, ASK);
        assert_eq!(answer.status, 101);
        // The client does not read; what it sends arrives all the same.
        stream.write_all(&vec![9; 1 << 20]).unwrap();
        assert!(told.recv_timeout(Duration::from_secs(10)).unwrap());
        thread::sleep(Duration::from_millis(500));
        let stuck = sent.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500));
        assert_eq!(sent.load(Ordering::Relaxed), stuck, "the target is held back");
        assert!(stuck < 32 << 20, "{stuck} bytes are under way to a client that does not read");
    })
    .await;
}

#[actix_web::test]
async fn the_upstreams_of_a_split_may_change_the_protocol() {
    let upstream = echo();
    let lines = one_upstream(upstream.address, "", "upgrade = ['raw']");
    let split = "split = [{ upstream = 'u', percent = 100 }]\nstrip_prefix";
    let front = Arc::new(front(&config(&lines.replace("upstream = 'u'\nstrip_prefix", split))).await);
    let work = move || {
        let (mut stream, answer) = ask(&front, ASK);
        assert_eq!(answer.status, 101, "{}", answer.head);
        stream.write_all(b"hello").unwrap();
        assert_eq!(read(&mut stream, 5), "hello");
    };
    blocking(work).await;
}
