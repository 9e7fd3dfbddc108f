//! TLS towards clients and targets, HTTP/2 towards targets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::rt::task::spawn_blocking;
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{Request, Response, body::Frame, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::client::TlsStream;

use super::{
    http2::{asking, greet, nothing},
    support::*,
};
use crate::platform::tls::{ClientTls, ServerTls, ServerTlsSettings, Shown, connector, watch};

/// An authority of its own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate of these names, and its key.
    fn issue(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        (cert.pem(), key.serialize_pem())
    }

    fn believed(&self) -> ClientTls {
        ClientTls { ca: Some(self.pem.clone()), ..ClientTls::default() }
    }
}

fn shown(names: &[&str], (cert, key): (String, String)) -> Shown {
    Shown { names: names.iter().map(|name| (*name).to_owned()).collect(), cert, key }
}

fn settings(shown: Vec<Shown>) -> ServerTlsSettings {
    ServerTlsSettings { shown, client_ca: None, client_required: false, protocols: &["http/1.1"] }
}

async fn shake(to: SocketAddr, name: &str, tls: &ClientTls) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = connector(tls, &[]).unwrap();
    let stream = TcpStream::connect(to).await.unwrap();
    connector.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

/// All that is answered to a GET; nothing when the connection fails.
async fn ask(to: SocketAddr, name: &str, tls: &ClientTls, headers: &str) -> String {
    let Ok(mut stream) = shake(to, name, tls).await else { return String::new() };
    let request = format!("GET /u/x HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n{headers}\r\n");
    let mut answer = Vec::new();
    if stream.write_all(request.as_bytes()).await.is_ok() {
        let _ = stream.read_to_end(&mut answer).await;
    }
    String::from_utf8(answer).unwrap()
}

#[actix_web::test]
async fn certificates_are_chosen_by_name() {
    let authority = Authority::new();
    let upstream = Upstream::ok("x");
    let own = shown(&[], authority.issue(&["a.example"]));
    let other = shown(&["*.b.example", "c.example"], authority.issue(&["*.b.example", "c.example"]));
    let tls = ServerTls::load(settings(vec![own, other])).unwrap();
    let front = encrypted_front(&config(&one_upstream(upstream.address, "", "")), tls).await;
    for name in ["a.example", "x.b.example", "C.example"] {
        let answer = ask(front.address, name, &authority.believed(), "").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
        assert!(answer.contains("strict-transport-security"), "{answer}");
    }
    assert!(upstream.last_head().contains("x-forwarded-proto: https\r\n"));
    // The first one is shown to all others, who see that it is not theirs.
    assert!(shake(front.address, "y.x.b.example", &authority.believed()).await.is_err());
    assert!(shake(front.address, "a.example", &Authority::new().believed()).await.is_err());
    let plain = get(&front, "/u/x", "").await;
    assert_ne!(plain.status, 200, "no HTTP without TLS");
    let unencrypted = super::support::front(&config(&one_upstream(upstream.address, "", ""))).await;
    assert!(get(&unencrypted, "/u/x", "").await.header("strict-transport-security").is_none());
}

#[actix_web::test]
async fn clients_prove_who_they_are() {
    let authority = Authority::new();
    let upstream = Upstream::ok("x");
    let front = |client_required| {
        let tls = ServerTls::load(ServerTlsSettings {
            client_ca: Some(authority.pem.clone()),
            client_required,
            ..settings(vec![shown(&[], authority.issue(&["a.example"]))])
        });
        let config = config(&one_upstream(upstream.address, "", ""));
        async move { encrypted_front(&config, tls.unwrap()).await }
    };
    let (required, optional) = (front(true).await, front(false).await);
    let anybody = authority.believed();
    let known = ClientTls { identity: Some(authority.issue(&["client"])), ..authority.believed() };
    let stranger = ClientTls { identity: Some(Authority::new().issue(&["client"])), ..authority.believed() };
    let forged = "client-cert: :forged:\r\nClient_Cert: :forged:\r\n";

    assert_eq!(ask(required.address, "a.example", &anybody, "").await, "");
    assert_eq!(ask(required.address, "a.example", &stranger, "").await, "");
    assert_eq!(ask(optional.address, "a.example", &stranger, "").await, "");
    assert_eq!(upstream.requests(), 0);
    assert!(ask(optional.address, "a.example", &anybody, forged).await.starts_with("HTTP/1.1 200"));
    assert!(!upstream.last_head().to_ascii_lowercase().contains("cert"), "{}", upstream.last_head());
    for front in [required, optional] {
        assert!(ask(front.address, "a.example", &known, forged).await.starts_with("HTTP/1.1 200"));
        let head = upstream.last_head();
        assert!(head.contains("\r\nclient-cert: :MII") && !head.contains("forged"), "{head}");
    }
}

#[actix_web::test]
async fn new_certificates_are_taken_and_bad_ones_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let put = |(cert, key): (String, String)| {
        std::fs::write(path("cert.pem"), cert).unwrap();
        std::fs::write(path("key.pem"), key).unwrap();
    };
    let authority = Authority::new();
    put(authority.issue(&["old.example"]));
    let tls = ServerTls::load(settings(vec![shown(&[], (path("cert.pem"), path("key.pem")))])).unwrap();
    let watching = watch(tls.clone());
    let upstream = Upstream::ok("x");
    let front = encrypted_front(&config(&one_upstream(upstream.address, "", "")), tls).await;
    let shows = |name: &'static str| {
        let (to, believed) = (front.address, authority.believed());
        async move { shake(to, name, &believed).await.is_ok() }
    };
    assert!(shows("old.example").await && !shows("new.example").await);
    let mut kept = shake(front.address, "old.example", &authority.believed()).await.unwrap();
    put(authority.issue(&["new.example"]));
    for _ in 0..100 {
        if shows("new.example").await {
            break;
        }
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(shows("new.example").await);
    kept.write_all(b"GET /u/x HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut status = [0; 12];
    kept.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200", "an open connection goes on");

    std::fs::write(path("cert.pem"), "no certificate").unwrap();
    actix_web::rt::time::sleep(Duration::from_millis(800)).await;
    assert!(shows("new.example").await);
    watching.abort();
}

#[test]
fn bad_files_are_told_by_name() {
    let authority = Authority::new();
    let (cert, key) = authority.issue(&["a.example"]);
    let (_, other_key) = authority.issue(&["a.example"]);
    for (cert, key, setting, expected) in [
        ("missing.pem", key.as_str(), "cert", "missing.pem"),
        (key.as_str(), key.as_str(), "cert", "there is no certificate"),
        (cert.as_str(), cert.as_str(), "key", "expected a private key in PEM"),
        (cert.as_str(), other_key.as_str(), "key", "expected the key of"),
    ] {
        let settings = settings(vec![shown(&[], (cert.to_owned(), key.to_owned()))]);
        let fault = ServerTls::load(settings).unwrap_err();
        assert_eq!(fault.setting, setting, "{fault}");
        assert!(fault.detail.contains(expected), "{fault}");
    }
}

/// A target behind TLS that asks for a certificate of `authority`.
async fn guarded_target(authority: &Authority) -> (SocketAddr, Upstream, Front) {
    let behind = Upstream::ok("behind");
    let tls = ServerTls::load(ServerTlsSettings {
        client_ca: Some(authority.pem.clone()),
        client_required: true,
        ..settings(vec![shown(&[], authority.issue(&["inner.example"]))])
    });
    let inner = encrypted_front(&config(&one_upstream(behind.address, "", "")), tls.unwrap()).await;
    (inner.address, behind, inner)
}

#[actix_web::test]
async fn targets_are_verified_and_told_who_asks() {
    let authority = Authority::new();
    let (target, behind, _inner) = guarded_target(&authority).await;
    let (cert, key) = authority.issue(&["gateway"]);
    let quoted = |text: &str| format!("'''{text}'''");
    let (ca, identity) = (quoted(&authority.pem), format!("cert = {}\nkey = {}", quoted(&cert), quoted(&key)));
    let ask_with = |tls: String| async move {
        let toml = format!(
            "[[upstreams]]\nname = 'u'\ntargets = [{{ url = 'https://{target}/u' }}]\n[upstreams.tls]\n{tls}\n\
             [[routes]]\nname = 'u'\npath = '/u/{{*rest}}'\nupstream = 'u'\nstrip_prefix = '/u'\n"
        );
        let front = front(&config(&toml)).await;
        get(&front, "/u/x", "").await
    };
    let named = "server_name = 'inner.example'";
    let good = ask_with(format!("ca = {ca}\n{named}\n{identity}")).await;
    assert_eq!((good.status, good.text().as_str()), (200, "behind"));
    let trusting = ask_with(format!("insecure = true\n{identity}")).await;
    assert_eq!(trusting.status, 200);
    let asked = behind.requests();
    for wrong in [
        format!("ca = {ca}\n{named}"),
        format!("ca = {ca}\n{identity}"),
        format!("{named}\n{identity}"),
        format!("ca = {}\n{named}\n{identity}", quoted(&Authority::new().pem)),
    ] {
        let answer = ask_with(wrong).await;
        assert_eq!((answer.status, answer.code()), (502, "bad-gateway"));
    }
    assert_eq!(behind.requests(), asked);
}

/// A target that speaks HTTP/2, echoes bodies and sends a trailer; the connections it got.
async fn h2_target() -> (SocketAddr, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = connections.clone();
    actix_web::rt::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(echo));
            tokio::spawn(serving);
        }
    });
    (address, connections)
}

async fn echo(
    request: Request<Incoming>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = std::io::Error>>, std::io::Error> {
    let said = format!(
        "{} {} {:?} te={:?} host={:?} connection={:?} ",
        request.method(),
        request.uri(),
        request.version(),
        request.headers().get("te"),
        request.headers().get("host"),
        request.headers().get("connection"),
    );
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", body.len().into());
    trailers.insert("set-cookie", "a=b".parse().unwrap());
    let frames = [Ok(Frame::data(Bytes::from(said))), Ok(Frame::data(body)), Ok(Frame::trailers(trailers))];
    Ok(Response::new(StreamBody::new(futures_util::stream::iter(frames))))
}

#[actix_web::test]
async fn targets_may_speak_http_2() {
    let (target, connections) = h2_target().await;
    let front_one = front(&config(&one_upstream(target, "protocol = 'h2'", "body_limit = '2MiB'"))).await;
    let first = get(&front_one, "/u/a?b=c", "connection: x-own\r\nx-own: 1\r\n").await;
    let said = format!("GET http://{target}/a?b=c HTTP/2.0 te=None host=None connection=None");
    assert!(first.status == 200 && first.text().contains(&said), "{first:?}");
    let many = futures_util::future::join_all((0..30).map(|_| get(&front_one, "/u/a", ""))).await;
    assert!(many.iter().all(|answer| answer.status == 200 && answer.whole));
    assert_eq!(connections.load(std::sync::atomic::Ordering::Relaxed), 1, "they share one connection");
    let mut post = b"POST /u/a HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n".to_vec();
    post.resize(post.len() + 1_000_000, b'z');
    let echoed = raw(&front_one, post).await;
    assert_eq!(echoed.text().matches('z').count(), 1_000_000);

    let with = exchange(&front_one, "te: trailers\r\n").await;
    assert!(with.ends_with("\r\n0\r\nx-sum: 0\r\n\r\n") && with.contains("te=Some(\"trailers\")"), "{with}");
    let without = exchange(&front_one, "").await;
    assert!(without.ends_with("\r\n0\r\n\r\n"), "{without}");
    let grpc = get(&front_one, "/u/a", "content-type: application/grpc+proto\r\n").await;
    assert_eq!((grpc.status, grpc.code()), (415, "unsupported-media-type"));
    assert_eq!(get(&front_one, "/u/a", "content-type: application/grpc-web\r\n").await.status, 200);
}

async fn exchange(front: &Front, headers: &str) -> String {
    use std::io::{Read as _, Write as _};
    let address = front.address;
    let request = format!("GET /u/x HTTP/1.1\r\nhost: a\r\nconnection: close, TE\r\n{headers}\r\n");
    let work = move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    spawn_blocking(work).await.unwrap()
}

#[actix_web::test]
async fn trailers_go_to_those_who_take_them() {
    use std::io::Write as _;
    let upstream = Upstream::new(|_, stream| {
        let answer = "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
                      5\r\nhello\r\n0\r\nx-sum: 5\r\ncontent-length: 1\r\n\r\n";
        stream.write_all(answer.as_bytes()).is_ok()
    });
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let with = exchange(&front, "te: trailers\r\n").await;
    assert!(with.ends_with("\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n"), "{with}");
    assert!(with.contains("trailer: x-sum\r\n") && with.matches("transfer-encoding: chunked").count() == 1, "{with}");
    let without = exchange(&front, "").await;
    assert!(without.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n") && !without.contains("x-sum"), "{without}");
}

#[actix_web::test]
async fn events_come_as_long_as_there_are_some() {
    use std::io::Write as _;
    let upstream = Upstream::new(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n").unwrap();
        for number in 0..5 {
            std::thread::sleep(Duration::from_millis(250));
            let _ = stream.write_all(format!("data: {number}\n\n").as_bytes());
        }
        false
    });
    let front = front(&config(&one_upstream(upstream.address, "idle_timeout = '600ms'", "timeout = '400ms'"))).await;
    let answer = exchange(&front, "").await;
    assert!(answer.contains("data: 0") && answer.contains("data: 4"), "{answer}");
}

#[actix_web::test]
async fn clients_may_speak_http_2() {
    let authority = Authority::new();
    let upstream = Upstream::ok("over h2");
    let tls = ServerTls::load(ServerTlsSettings {
        protocols: &["h2", "http/1.1"],
        client_ca: Some(authority.pem.clone()),
        ..settings(vec![shown(&[], authority.issue(&["a.example"]))])
    });
    let toml = one_upstream(upstream.address, "", "upgrade = ['raw']");
    let front = encrypted_front(&config(&toml), tls.unwrap()).await;
    let known = ClientTls { identity: Some(authority.issue(&["client"])), ..authority.believed() };
    let speaker = |tls: ClientTls| {
        let to = TcpStream::connect(front.address);
        async move {
            let connector = connector(&tls, &["h2"]).unwrap();
            let stream =
                connector.connect(ServerName::try_from("a.example").unwrap(), to.await.unwrap()).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
            greet(stream).await
        }
    };
    let (anybody, known) = (speaker(authority.believed()).await, speaker(known).await);
    let forged = [("client-cert", ":forged:")];
    let calls = (0..10).map(|number| {
        let mut sender = anybody.clone();
        let request = asking("GET", &format!("/u/{number}"), &forged, nothing());
        async move { sender.send_request(request).await.unwrap() }
    });
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "over h2");
    }
    let head = upstream.last_head();
    assert!(head.contains("x-forwarded-host: front.example\r\n") && !head.contains("client-cert"), "{head}");
    let answer = known.clone().send_request(asking("GET", "/u/x", &forged, nothing())).await.unwrap();
    assert_eq!(answer.status(), 200);
    let head = upstream.last_head();
    assert!(head.contains("\r\nclient-cert: :MII") && !head.contains("forged"), "{head}");
    assert_eq!(ask(front.address, "a.example", &authority.believed(), "").await.get(..12), Some("HTTP/1.1 200"));
}
