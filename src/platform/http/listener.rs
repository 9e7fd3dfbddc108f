//! A listener: an HTTP server on an address, with or without TLS, whose connections are watched by [`Wire`].

use std::{
    fmt::Debug,
    future::{Future, ready},
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use actix_http::{HttpService, Protocol, Request, Response, error::DispatchError};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_factory, fn_service};
use actix_web::{
    body::{BoxBody, MessageBody},
    dev::{AppConfig, Server},
    http::header::HeaderValue,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{
    http2::{self, Client, Http2, Opening},
    wire::{Refusal, Rules, Socket, Wire, WireStream},
};
use crate::platform::tls::ServerTls;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long a client may take to close its side after an answer that ends the connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// How to listen.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The address.
    pub at: SocketAddr,
    /// Threads that serve; 0: one a core.
    pub workers: usize,
    /// How long a request's head may take, and the handshake before it.
    pub head_timeout: Duration,
    /// How long kept connections are served on at the end, answer by answer the last of theirs, before idle ones are closed.
    pub drain: Duration,
    /// How long requests in flight may take to finish at the end.
    pub shutdown_timeout: Duration,
    /// With TLS.
    pub tls: Option<ServerTls>,
    /// Whether the application judges `Upgrade`; where it does not, the header is ignored.
    pub changes_protocols: bool,
    /// HTTP/2, by TLS or by a client that knows.
    pub http2: Option<Http2>,
}

/// Binds an application; it serves as soon as the server is polled. Must be called within a runtime.
pub fn bind<F, I, S, B>(factory: F, how: &Listening) -> io::Result<(Server, SocketAddr)>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Error = actix_web::Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<actix_http::Response<B>>,
    B: MessageBody + 'static,
{
    let listener = listener(how.at)?;
    let address = listener.local_addr()?;
    let workers = match how.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let builder = Server::build().workers(workers).shutdown_timeout(how.shutdown_timeout.as_secs()).disable_signals();
    let ending = builder.graceful_shutdown_signal();
    let how = how.clone();
    let builder = builder.listen(format!("http-{address}"), listener, move || {
        let service = factory().into_factory().map_err(|error| Response::from(error.error_response()));
        let (how, ending) = (how.clone(), ending.clone());
        fn_factory(move || {
            let made = service.new_service(AppConfig::default());
            let (how, ending) = (how.clone(), ending.clone());
            async move {
                // One application a worker, whatever its clients speak.
                let app = Rc::new(made.await.map_err(|fault| tracing::error!(event = "not_served", ?fault))?);
                let (signal, drain) = (ending.clone(), how.drain);
                let last = move || {
                    let signal = signal.clone();
                    async move {
                        signal.notified().await;
                        // Who has just sent the next request on a kept connection gets an answer, which says that it is the
                        // last.
                        tokio::time::sleep(drain).await;
                    }
                };
                let http1 = Rc::new(http1(app.clone(), address, how.head_timeout, last).await?);
                Ok::<_, ()>(fn_service(move |stream: TcpStream| {
                    let (app, http1, how, ending) = (app.clone(), http1.clone(), how.clone(), ending.clone());
                    async move {
                        match accept(stream, &how, ending.notified()).await? {
                            Accepted::Http1(stream, peer) => http1.call((stream, Protocol::Http1, peer)).await,
                            Accepted::Http2(socket, client, bounds) => {
                                http2::serve(socket, client, app, bounds, ending.notified()).await;
                                Ok(())
                            }
                            Accepted::Nothing => Ok(()),
                        }
                    }
                }))
            }
        })
    })?;
    Ok((builder.run(), address))
}

/// What serves connections of HTTP/1.1; idle ones until `last` is ready.
async fn http1<S, B, F>(
    app: Rc<S>,
    address: SocketAddr,
    head_timeout: Duration,
    last: impl Fn() -> F + 'static,
) -> Result<impl Service<(WireStream, Protocol, Option<SocketAddr>), Response = (), Error = DispatchError>, ()>
where
    S: Service<Request, Error = Response<BoxBody>> + 'static,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
    F: Future<Output = ()> + 'static,
{
    let http = HttpService::build()
        .graceful_shutdown_signal(last)
        .client_request_timeout(head_timeout)
        .client_disconnect_timeout(FAREWELL)
        // A client that closes its side has gone: what runs for it is cancelled.
        .h1_allow_half_closed(false)
        .local_addr(address)
        .on_connect_ext(|stream: &WireStream, data| {
            data.insert(stream.wire());
        })
        .expect(fn_service(|request: Request| async move {
            let wire = request.conn_data::<Rc<Wire>>().cloned();
            if let Some(wire) = wire {
                wire.hold_continue().await;
            }
            Ok::<_, actix_http::Error>(request)
        }))
        .finish(fn_factory(move || ready(Ok::<_, ()>(app.clone()))));
    http.new_service(()).await
}

fn listener(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)?.into_std()
}

/// A connection, ready to be read from.
enum Accepted<'a> {
    Http1(WireStream, Option<SocketAddr>),
    Http2(Socket, Client, &'a Http2),
    /// It ended before it began.
    Nothing,
}

async fn accept(
    stream: TcpStream,
    how: &Listening,
    ending: impl Future<Output = ()>,
) -> Result<Accepted<'_>, DispatchError> {
    let peer = stream.peer_addr().ok();
    // What a stream has to say goes at once, however little it is.
    let _ = stream.set_nodelay(true);
    let rules = Rules { head_timeout: how.head_timeout, changes_protocols: how.changes_protocols, is_http1: true };
    let Some(tls) = &how.tls else {
        let Some(bounds) = &how.http2 else {
            return Ok(Accepted::Http1(Wire::stream(Socket::Plain(stream), rules, None), peer));
        };
        let opening = tokio::select! {
            opening = http2::opening(&stream, how.head_timeout) => opening,
            () = ending => Opening::Other,
        };
        return Ok(match opening {
            Opening::Http2 => Accepted::Http2(Socket::Plain(stream), Client { peer, certificate: None }, bounds),
            Opening::Other => Accepted::Http1(Wire::stream(Socket::Plain(stream), rules, None), peer),
            Opening::Silent => {
                // What does not fit into the socket now is not worth waiting for.
                let _ = stream.try_write(&Refusal::Slow.answer(peer));
                Accepted::Nothing
            }
        });
    };
    let shaken = timeout(how.head_timeout, tls.acceptor().accept(stream)).await;
    let stream = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
        metrics::counter!("tls_handshakes_failed_total").increment(1);
        tracing::debug!(event = "tls_handshake_failed", %error);
        DispatchError::Io(error)
    })?;
    let session = stream.get_ref().1;
    let speaks_http2 = session.alpn_protocol() == Some(b"h2");
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    let certificate = shown.and_then(|der| HeaderValue::try_from(format!(":{}:", STANDARD.encode(der))).ok());
    let socket = Socket::Tls(Box::new(stream));
    Ok(match how.http2.as_ref().filter(|_| speaks_http2) {
        Some(bounds) => Accepted::Http2(socket, Client { peer, certificate }, bounds),
        None => Accepted::Http1(Wire::stream(socket, rules, certificate), peer),
    })
}
