//! gRPC through the gateway: calls of every kind, as its protocol puts them on HTTP/2.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::rt::{spawn, time::sleep};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use super::{
    http2::{Sent, Speaker, asking, given, speak, whole},
    support::*,
};

/// A server of gRPC.
struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<HeaderMap>>>,
    /// Calls of `/t.T/Never` that nobody has given up.
    waiting: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (heads, waiting) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let server = Self { address: listener.local_addr().unwrap(), heads: heads.clone(), waiting: waiting.clone() };
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heads, waiting) = (heads.clone(), waiting.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    heads.lock().unwrap().push(request.headers().clone());
                    serve(request, waiting.clone())
                });
                let builder = http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        server
    }
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

type Said = UnsyncBoxBody<Bytes, Infallible>;

/// A message, with its length before it.
fn message(text: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(text);
    bytes.into()
}

fn status(code: &'static str, text: Option<&'static str>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().unwrap());
    if let Some(text) = text {
        trailers.insert("grpc-message", text.parse().unwrap());
    }
    trailers
}

async fn serve(request: Request<Incoming>, waiting: Arc<AtomicUsize>) -> Result<Response<Said>, Infallible> {
    let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
    let body = request.into_body();
    let good = Frame::trailers(status("0", None));
    let said = match method.as_str() {
        "Unary" | "Client" => {
            let all = body.collect().await.unwrap().to_bytes();
            let text = if method == "Unary" { all } else { message(all.len().to_string().as_bytes()) };
            frames(vec![Frame::data(text), good])
        }
        "Server" => {
            let pieces = stream::iter(0..3).then(|number| async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Frame::data(message(format!("{number}").as_bytes()))
            });
            StreamBody::new(pieces.chain(stream::iter([good])).map(Ok)).boxed_unsync()
        }
        "Bidi" => {
            let echo = body.into_data_stream().take_while(|piece| std::future::ready(piece.is_ok()));
            let echo = echo.map(|piece| Frame::data(piece.unwrap()));
            StreamBody::new(echo.chain(stream::iter([good])).map(Ok)).boxed_unsync()
        }
        "Fails" => frames(vec![Frame::trailers(status("5", Some("no%20such thing")))]),
        "Breaks" => frames(vec![Frame::data(message(b"one")), Frame::trailers(status("15", Some("lost")))]),
        "Stops" => {
            let stopped = stream::iter([Frame::data(message(b"one"))]).chain(stream::pending());
            StreamBody::new(stopped.map(Ok)).boxed_unsync()
        }
        "Only" => {
            let mut response = Response::new(Empty::new().boxed_unsync());
            *response.headers_mut() = status("7", Some("not for you"));
            response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            return Ok(response);
        }
        _ => {
            waiting.fetch_add(1, Ordering::SeqCst);
            let waits = Waiting(waiting);
            tokio::time::sleep(Duration::from_mins(1)).await;
            drop(waits);
            Full::new(Bytes::new()).boxed_unsync()
        }
    };
    Ok(Response::builder().header("content-type", "application/grpc").body(said).unwrap())
}

fn frames(frames: Vec<Frame<Bytes>>) -> Said {
    StreamBody::new(stream::iter(frames.into_iter().map(Ok))).boxed_unsync()
}

/// A call.
fn calling(method: &str, body: Sent) -> Request<Sent> {
    let headers = [("content-type", "application/grpc+proto"), ("te", "trailers"), ("grpc-timeout", "3S")];
    asking("POST", &format!("/u/t.T/{method}"), &headers, body)
}

/// What came of a call: HTTP's status, the messages, and the status and message of gRPC, from wherever they stood.
#[derive(Debug, PartialEq)]
struct Outcome {
    http: u16,
    messages: Bytes,
    status: String,
    text: String,
    /// Whether the status stood in the head.
    at_once: bool,
}

async fn call(speaker: &Speaker, request: Request<Sent>) -> Outcome {
    let (head, body) = speaker.clone().send_request(request).await.unwrap().into_parts();
    assert_eq!(head.headers["content-type"], "application/grpc");
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let at_once = head.headers.contains_key("grpc-status");
    let from = if at_once { &head.headers } else { &trailers };
    let text = |name: &str| from.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (status, text) = (text("grpc-status"), text("grpc-message"));
    Outcome { http: head.status.as_u16(), messages: body.to_bytes(), status, text, at_once }
}

async fn behind(server: &Server, route: &str) -> Front {
    front(&config(&one_upstream(server.address, "protocol = 'h2'", route))).await
}

#[actix_web::test]
async fn calls_of_every_kind_pass() {
    let server = Server::start().await;
    let front = behind(&server, "").await;
    let speaker = speak(front.address).await;
    let good =
        |messages: Bytes| Outcome { http: 200, messages, status: "0".into(), text: String::new(), at_once: false };
    assert_eq!(call(&speaker, calling("Unary", whole(message(b"hello")))).await, good(message(b"hello")));
    let head = server.heads.lock().unwrap().last().cloned().unwrap();
    assert_eq!((head["te"].as_bytes(), head["grpc-timeout"].as_bytes()), (b"trailers".as_slice(), b"3S".as_slice()));
    assert!(!head.contains_key("transfer-encoding") && !head.contains_key("connection"), "{head:?}");
    let three = [message(b"0"), message(b"1"), message(b"2")].concat();
    assert_eq!(call(&speaker, calling("Server", whole(message(b"")))).await, good(three.into()));
    let (giver, sent) = given();
    let calls = spawn({
        let speaker = speaker.clone();
        async move { call(&speaker, calling("Client", sent)).await }
    });
    for _ in 0..20 {
        giver.send(message(&[b'x'; 9_995])).unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    drop(giver);
    assert_eq!(calls.await.unwrap(), good(message(b"200000")));
}

#[actix_web::test]
async fn both_sides_talk_at_the_same_time() {
    let server = Server::start().await;
    let front = behind(&server, "").await;
    let mut speaker = speak(front.address).await;
    let (giver, sent) = given();
    // The answer begins before anything was said.
    let mut answer = speaker.send_request(calling("Bidi", sent)).await.unwrap().into_body();
    for round in 0..50 {
        let said = message(format!("round {round}").as_bytes());
        giver.send(said.clone()).unwrap();
        let heard = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(heard, said);
    }
    drop(giver);
    let trailers = answer.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}

#[actix_web::test]
async fn a_servers_own_errors_pass_as_it_tells_them() {
    let server = Server::start().await;
    let front = behind(&server, "").await;
    let speaker = speak(front.address).await;
    for (method, messages, status, text, at_once) in [
        ("Fails", Bytes::new(), "5", "no%20such thing", false),
        ("Breaks", message(b"one"), "15", "lost", false),
        ("Only", Bytes::new(), "7", "not for you", true),
    ] {
        let outcome = call(&speaker, calling(method, whole(message(b"")))).await;
        let expected = Outcome { http: 200, messages, status: status.into(), text: text.into(), at_once };
        assert_eq!(outcome, expected, "{method}");
    }
}

#[actix_web::test]
async fn faults_of_the_gateway_are_told_as_grpc_tells_faults() {
    let server = Server::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let toml = format!(
        "{}[[upstreams]]\nname = 'gone'\nprotocol = 'h2'\ntargets = [{{ url = 'http://{nobody}' }}]\n\
         [[routes]]\nname = 'gone'\npath = '/gone/{{*rest}}'\nupstream = 'gone'\n\
         [[routes]]\nname = 'slow'\npath = '/slow/{{*rest}}'\nupstream = 'u'\ntimeout = '200ms'\n\
         [[routes]]\nname = 'own'\npath = '/own/{{*rest}}'\nupstream = 'u'\nauth = 'required'\nroles = ['admin']\n\
         [[routes]]\nname = 'get'\npath = '/get/{{*rest}}'\nupstream = 'u'\nmethods = ['GET']\n\
         [[routes]]\nname = 'few'\npath = '/few/{{*rest}}'\nupstream = 'u'\nstrip_prefix = '/few'\nrate_limit = {{ limit = '1/minute' }}\n",
        one_upstream(server.address, "protocol = 'h2'", "body_limit = '100B'")
    );
    let front = front(&config(&toml)).await;
    let speaker = speak(front.address).await;
    let ask = |path: &str, token: Option<String>| {
        let token = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/grpc"), ("te", "trailers")];
        headers.extend(token.as_deref().map(|token| ("authorization", token)));
        let request = asking("POST", path, &headers, whole(message(b"x")));
        let speaker = speaker.clone();
        async move { call(&speaker, request).await }
    };
    assert_eq!(ask("/few/t.T/Unary", None).await.status, "0");
    for (path, token, status, says) in [
        ("/gone/t.T/Unary", None, "14", "bad-gateway"),
        ("/slow/t.T/Never", None, "4", "upstream-timeout"),
        ("/own/t.T/Unary", None, "16", "unauthenticated"),
        ("/own/t.T/Unary", Some(token(1, &["user"], "")), "7", "forbidden"),
        ("/few/t.T/Unary", None, "8", "rate-limited"),
        ("/nowhere", None, "12", "no-route"),
        ("/get/t.T/Unary", None, "12", "method-not-allowed"),
    ] {
        let outcome = ask(path, token).await;
        assert_eq!(
            (outcome.http, outcome.status.as_str(), outcome.at_once),
            (200, status, true),
            "{path}: {outcome:?}"
        );
        assert!(outcome.text.starts_with(says) && outcome.messages.is_empty(), "{path}: {outcome:?}");
    }
    let long = asking("POST", "/u/t.T/Unary", &[("content-type", "application/grpc")], whole(message(&[0; 200])));
    assert_eq!(call(&speaker, long).await.status, "8");
    let web = asking("POST", "/nowhere", &[("content-type", "application/grpc-web")], whole(message(b"x")));
    assert_eq!(speaker.clone().send_request(web).await.unwrap().status().as_u16(), 404);
    let old = get(&front, "/u/t.T/Unary", "content-type: application/grpc\r\n").await;
    assert_eq!((old.status, old.code()), (415, "unsupported-media-type"));
}

#[actix_web::test]
async fn an_answer_that_stops_in_its_middle_ends_with_a_status() {
    let server = Server::start().await;
    let front = behind(&server, "timeout = '300ms'").await;
    let outcome = call(&speak(front.address).await, calling("Stops", whole(message(b"")))).await;
    assert_eq!((outcome.status.as_str(), outcome.messages), ("14", message(b"one")));
    assert_eq!(outcome.text, "the route's time is over");
}

#[actix_web::test]
async fn whoever_gives_up_is_not_worked_for() {
    let server = Server::start().await;
    let front = behind(&server, "").await;
    let speaker = speak(front.address).await;
    let waits = |count: usize| {
        let waiting = server.waiting.clone();
        async move {
            for _ in 0..500 {
                if waiting.load(Ordering::SeqCst) == count {
                    return true;
                }
                sleep(Duration::from_millis(20)).await;
            }
            false
        }
    };
    let mut sender = speaker.clone();
    let asked = spawn(async move { sender.send_request(calling("Never", whole(message(b"x")))).await.is_ok() });
    assert!(waits(1).await, "the server is called");
    asked.abort();
    assert!(waits(0).await, "the server's call is cancelled");
    // In the middle of a conversation too.
    let (giver, sent) = given();
    let mut answer = speaker.clone().send_request(calling("Bidi", sent)).await.unwrap().into_body();
    giver.send(message(b"one")).unwrap();
    assert!(answer.frame().await.unwrap().is_ok());
    drop(answer);
    drop(giver);
    let next = call(&speaker, calling("Unary", whole(message(b"next")))).await;
    assert_eq!(next.messages, message(b"next"));
}
