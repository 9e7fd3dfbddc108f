//! A gateway to talk to, and upstreams made of raw sockets.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, dev::Service as _, web};
use futures_util::FutureExt as _;

use crate::{
    kernel::{Role, SystemClock, units::ByteSize},
    modules::gateway::{Gateway, GatewayConfig, GatewayParts, Placement, front_door},
    platform::{
        http::{
            Problem,
            api_keys::ApiKeys,
            front,
            http2::Http2,
            listener::{Listening, bind},
        },
        random::SystemRandom,
        tls::ServerTls,
        tokens::{KeyRing, TokenRules, TokenVerifier},
    },
};

/// The secret that tests sign tokens with.
pub(super) const SECRET: &[u8] = b"a secret of tests, long enough for HS256";

/// A running gateway.
pub(super) struct Front {
    pub(super) address: SocketAddr,
    pub(super) gateway: Arc<Gateway>,
    stop: actix_web::dev::ServerHandle,
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.stop.stop(false));
    }
}

/// A configuration: the defaults, and these lines.
pub(super) fn config(toml: &str) -> GatewayConfig {
    let mut base: toml::Table = toml::from_str(
        "rate_limit = false\nrate_limit_keys = 1000\nsecurity_headers = true\nadmin_prefix = '/admin'\napi_prefix = '/api'\nbreaker = {}",
    )
    .unwrap();
    base.extend(toml::from_str::<toml::Table>(toml).unwrap());
    base.try_into().unwrap()
}

/// One upstream `u` at this address and one route `/u/{*rest}` that strips the prefix, with more lines for each.
pub(super) fn one_upstream(to: SocketAddr, upstream: &str, route: &str) -> String {
    format!(
        "[[upstreams]]\nname = 'u'\ntargets = [{{ url = 'http://{to}' }}]\n{upstream}\n\
         [[routes]]\nname = 'u'\npath = '/u/{{*rest}}'\nupstream = 'u'\nstrip_prefix = '/u'\n{route}\n"
    )
}

/// A verifier of HS256 tokens.
fn verifier() -> Arc<TokenVerifier> {
    let rules = TokenRules {
        issuer: "http://issuer".to_owned(),
        audience: "vestibule".to_owned(),
        revocation_max_staleness: Duration::from_hours(1),
    };
    let verifier = TokenVerifier::new(rules, Arc::new(SystemClock));
    verifier.set_keys(KeyRing::default().with_shared_secret(SECRET));
    verifier.revocations().complete(crate::kernel::Clock::monotonic(&SystemClock));
    Arc::new(verifier)
}

/// A token of a user with these roles and scopes.
pub(super) fn token(user: u128, roles: &[&str], scope: &str) -> String {
    let claims = serde_json::json!({
        "iss": "http://issuer", "sub": uuid::Uuid::from_u128(user), "aud": "vestibule", "exp": 4_000_000_000i64, "iat": 0,
        "jti": "x", "sid": uuid::Uuid::from_u128(7), "client_id": "c", "scope": scope, "roles": roles,
        "email": "ann@example.com", "type": "access",
    });
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some("hs256".to_owned());
    jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(SECRET)).unwrap()
}

async fn echo(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().body(format!("inner {} {} {}", request.method(), request.uri(), body.len()))
}

/// Starts a gateway with local roles that echo what they get; the answer's `x-code` is a problem's code.
pub(super) async fn front(config: &GatewayConfig) -> Front {
    front_with(config, None).await
}

/// The same behind TLS.
pub(super) async fn encrypted_front(config: &GatewayConfig, tls: ServerTls) -> Front {
    front_with(config, Some(tls)).await
}

/// The bounds of HTTP/2.
pub(super) fn bounds() -> Http2 {
    Http2 {
        max_streams: 128,
        max_resets: 200,
        stream_window: 256 << 10,
        connection_window: 1 << 20,
        ping_interval: Duration::from_secs(30),
        ping_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_mins(1),
    }
}

async fn front_with(config: &GatewayConfig, tls: Option<ServerTls>) -> Front {
    front_bounded(config, tls, Some(bounds())).await
}

/// The same with these bounds of HTTP/2, or without it.
pub(super) async fn front_bounded(config: &GatewayConfig, tls: Option<ServerTls>, bounds: Option<Http2>) -> Front {
    let gateway = Gateway::start(GatewayParts {
        config,
        body_limit: ByteSize::mib(1),
        trusted_proxies: vec![],
        secure: tls.is_some(),
        roles: front_door(config, |role| (role != Role::Gateway).then_some(Placement::Local)),
        verifier: verifier(),
        api_keys: Arc::new(ApiKeys::new(verifier(), Arc::new(SystemClock))),
        shared_cache: None,
        instances: crate::modules::gateway::Instances::default(),
        signer: None,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    })
    .await
    .unwrap();
    let gateway = Arc::new(gateway);
    let verifier = verifier();
    let inside = gateway.clone();
    let factory = move || {
        App::new()
            .app_data(verifier.clone())
            .configure(|service| inside.configure(service))
            .route("/auth/{rest:.*}", web::to(echo))
            .route("/data/{rest:.*}", web::to(echo))
            .route("/health", web::to(echo))
            .wrap(inside.middleware())
            .wrap_fn(|request, service| {
                let shown = |problem: &Problem| problem.kind().code;
                service.call(request).map(move |outcome| {
                    outcome.map(|mut response| {
                        let code = response.response().extensions().get::<Problem>().map(shown);
                        if let Some(code) = code {
                            let value = actix_web::http::header::HeaderValue::from_static(code);
                            response.headers_mut().insert("x-code".parse().unwrap(), value);
                        }
                        response
                    })
                })
            })
            .wrap(front::Front::new(
                "gateway",
                front::Trust::Proxies(vec![]),
                Arc::default(),
                1,
                Arc::new(SystemClock),
                Arc::new(SystemRandom),
            ))
    };
    let how = Listening {
        at: ([127, 0, 0, 1], 0).into(),
        workers: 1,
        head_timeout: Duration::from_secs(1),
        drain: Duration::ZERO,
        shutdown_timeout: Duration::from_secs(1),
        tls,
        changes_protocols: true,
        http2: bounds,
    };
    let (server, address) = bind(factory, &how).unwrap();
    let stop = server.handle();
    actix_web::rt::spawn(server);
    Front { address, gateway, stop }
}

/// An upstream of raw bytes: what to do with each connection is up to the test. Heads that came are kept.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    pub(super) heads: Arc<Mutex<Vec<String>>>,
    pub(super) connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// For every head that comes, `answer` writes what it likes; false closes the connection.
    pub(super) fn new(answer: impl Fn(&str, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    /// The same at a listener that stands.
    fn on(listener: TcpListener, answer: impl Fn(&str, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (answer, kept, counted) = (Arc::new(answer), heads.clone(), connections.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::Relaxed);
                let (answer, kept) = (answer.clone(), kept.clone());
                thread::spawn(move || serve(stream, &*answer, &kept));
            }
        });
        Self { address, heads, connections }
    }

    /// Answers every request with `200` and this body.
    pub(super) fn ok(body: &'static str) -> Self {
        Self::new(move |_, stream| say(stream, body))
    }

    /// The same at an address, unless somebody has it.
    pub(super) fn at(address: SocketAddr, body: &'static str) -> Option<Self> {
        Some(Self::on(TcpListener::bind(address).ok()?, move |_, stream| say(stream, body)))
    }

    pub(super) fn last_head(&self) -> String {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }

    pub(super) fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

fn say(stream: &mut TcpStream, body: &str) -> bool {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).is_ok()
}

fn serve(
    mut stream: TcpStream,
    answer: &(dyn Fn(&str, &mut TcpStream) -> bool + Send + Sync),
    kept: &Mutex<Vec<String>>,
) {
    let mut seen = Vec::new();
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(1) => seen.push(byte[0]),
            _ => return,
        }
        if seen.ends_with(b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&std::mem::take(&mut seen)).into_owned();
            kept.lock().unwrap().push(head.clone());
            if !answer(&head, &mut stream) {
                return;
            }
        }
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// Whether the body came to its announced end.
    pub(super) whole: bool,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    pub(super) fn code(&self) -> &str {
        self.header("x-code").unwrap_or("")
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends raw bytes on a connection of their own and reads one answer.
pub(super) async fn raw(front: &Front, request: impl Into<Vec<u8>>) -> Answer {
    let (address, request) = (front.address, request.into());
    actix_web::rt::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream.write_all(&request).unwrap();
        read_answer(&mut stream, request.starts_with(b"HEAD"))
    })
    .await
    .unwrap()
}

/// Reads one answer.
pub(super) fn read_answer(stream: &mut TcpStream, bodiless: bool) -> Answer {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let status = head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
    let mut answer = Answer { status, head, body: Vec::new(), whole: status != 0 };
    if bodiless || matches!(status, 204 | 304) {
        return answer;
    }
    if let Some(length) = answer.header("content-length").map(|length| length.parse::<usize>().unwrap()) {
        while answer.body.len() < length && matches!(stream.read(&mut byte), Ok(1)) {
            answer.body.push(byte[0]);
        }
        answer.whole = answer.body.len() == length;
    } else if answer.header("transfer-encoding").is_some() {
        while !answer.body.ends_with(b"0\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
            answer.body.push(byte[0]);
        }
        answer.whole = answer.body.ends_with(b"0\r\n\r\n");
    }
    answer
}

/// A GET with these header lines.
pub(super) async fn get(front: &Front, path: &str, headers: &str) -> Answer {
    raw(front, format!("GET {path} HTTP/1.1\r\nhost: front.example\r\n{headers}\r\n")).await
}
