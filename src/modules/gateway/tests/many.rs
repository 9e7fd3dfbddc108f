//! Mirrors, hedges and retries with targets that speak HTTP/2, many requests on one connection.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::rt::time::sleep;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use super::support::*;

/// What a target does with a request.
#[derive(Clone, Copy)]
enum Manner {
    /// Answers with this status, after this time.
    Answer(u16, Duration),
    /// Resets the stream.
    Reset,
}

const AT_ONCE: Manner = Manner::Answer(200, Duration::ZERO);

/// A target that speaks HTTP/2 and nothing else.
struct Target {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Method, path and body of every request.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Target {
    async fn start(name: &'static str, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, noted) = (connections.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let noted = noted.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let noted = noted.clone();
                    async move {
                        let what = format!("{} {}", request.method(), request.uri().path());
                        let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
                        noted.lock().unwrap().push(format!("{what} {}", String::from_utf8_lossy(&body)));
                        let Manner::Answer(status, pause) = manner else { return Err(std::io::Error::other("reset")) };
                        tokio::time::sleep(pause).await;
                        let answer = Response::builder().status(status).body(Full::new(Bytes::from(name)));
                        answer.map_err(std::io::Error::other)
                    }
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, connections, asked }
    }

    fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    async fn is_asked(&self, expected: &str) -> bool {
        for _ in 0..100 {
            if self.asked.lock().unwrap().iter().any(|asked| asked == expected) {
                return true;
            }
            sleep(Duration::from_millis(20)).await;
        }
        false
    }
}

fn of(targets: &[&Target], upstream: &str) -> String {
    let targets: Vec<String> =
        targets.iter().map(|target| format!("{{ url = 'http://{}' }}", target.address)).collect();
    format!(
        "[[upstreams]]\nname = 'u'\nprotocol = 'h2'\ntargets = [{}]\n{upstream}\n\
         [[routes]]\nname = 'u'\npath = '/u/{{*rest}}'\nupstream = 'u'\nstrip_prefix = '/u'\n",
        targets.join(", ")
    )
}

#[actix_web::test]
async fn a_mirror_gets_its_copy() {
    let own = Upstream::ok("own");
    let copies = Target::start("copies", AT_ONCE).await;
    let lines = one_upstream(own.address, "", "mirror = { upstream = 'm' }")
        + &format!("[[upstreams]]\nname = 'm'\nprotocol = 'h2'\ntargets = [{{ url = 'http://{}' }}]\n", copies.address);
    let front = front(&config(&lines)).await;
    for number in 0..5 {
        assert_eq!(get(&front, &format!("/u/{number}"), "").await.text(), "own");
    }
    raw(&front, "POST /u/p HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello").await;
    assert!(copies.is_asked("POST /p hello").await && copies.is_asked("GET /4 ").await, "{:?}", copies.asked);
    assert_eq!(copies.connections.load(Ordering::Relaxed), 1);
}

#[actix_web::test]
async fn a_hedge_answers_and_the_slow_one_is_broken_off_alone() {
    let tardy = Target::start("tardy", Manner::Answer(200, Duration::from_millis(1500))).await;
    let quick = Target::start("quick", AT_ONCE).await;
    let front = front(&config(&of(&[&tardy, &quick], "hedge = { after = '50ms' }"))).await;
    let started = Instant::now();
    for _ in 0..3 {
        assert_eq!(get(&front, "/u/x", "").await.text(), "quick");
    }
    assert!(started.elapsed() < Duration::from_millis(1400), "{:?}", started.elapsed());
    assert!(tardy.requests() >= 1);
    // What was broken off is a stream; the connection is used again.
    assert_eq!((tardy.connections.load(Ordering::Relaxed), quick.connections.load(Ordering::Relaxed)), (1, 1));
}

#[actix_web::test]
async fn what_fails_is_tried_at_another_target() {
    let retry = "retry = { attempts = 1, backoff = '1ms' }\nbreaker = { failures = 100 }";
    for manner in [Manner::Answer(503, Duration::ZERO), Manner::Reset] {
        let (sick, well) = (Target::start("sick", manner).await, Target::start("well", AT_ONCE).await);
        let front = front(&config(&of(&[&sick, &well], retry))).await;
        for _ in 0..3 {
            assert_eq!(get(&front, "/u/x", "").await.text(), "well");
        }
        assert!(sick.requests() >= 1, "it was asked first");
        // What may change something is asked once, whatever comes of it.
        let before = (sick.requests(), well.requests());
        let post = || raw(&front, "POST /u/p HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi");
        let answers = [post().await.status, post().await.status];
        assert!(answers.contains(&200) && answers.iter().any(|status| *status >= 500), "{answers:?}");
        assert_eq!((sick.requests(), well.requests()), (before.0 + 1, before.1 + 1));
    }
}

#[actix_web::test]
async fn a_target_that_is_away_costs_a_try_and_no_answer() {
    let away = Target::start("away", AT_ONCE).await;
    let well = Target::start("well", AT_ONCE).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let lines = of(&[&away, &well], "retry = { attempts = 1, backoff = '1ms' }");
    let front = front(&config(&lines.replace(&away.address.to_string(), &nobody.to_string()))).await;
    for _ in 0..3 {
        assert_eq!(get(&front, "/u/x", "").await.text(), "well");
    }
    assert_eq!(away.requests(), 0);
}
