//! A listener: an HTTP server on an address, with or without TLS, whose connections are watched by [`Wire`].

use std::{
    fmt::Debug,
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use actix_http::{HttpService, Protocol, Request, error::DispatchError};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    body::MessageBody,
    dev::{AppConfig, Server},
    http::header::HeaderValue,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::wire::{Rules, Socket, Wire, WireStream};
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
    /// How long requests in flight may take to finish at the end.
    pub shutdown_timeout: Duration,
    /// With TLS.
    pub tls: Option<ServerTls>,
    /// Whether the application judges `Upgrade`; where it does not, the header is ignored.
    pub changes_protocols: bool,
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
        let ending = ending.clone();
        let service = factory().into_factory().map_err(|error| actix_http::Response::from(error.error_response()));
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let signal = ending.clone();
                async move { signal.notified().await }
            })
            .client_request_timeout(how.head_timeout)
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
            .finish(map_config(service, |()| AppConfig::default()));
        let how = how.clone();
        fn_service(move |stream: TcpStream| {
            let how = how.clone();
            async move { accept(stream, &how).await }
        })
        .and_then(http)
    })?;
    Ok((builder.run(), address))
}

fn listener(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)?.into_std()
}

/// A connection, ready to be read from.
async fn accept(
    stream: TcpStream,
    how: &Listening,
) -> Result<(WireStream, Protocol, Option<SocketAddr>), DispatchError> {
    let peer = stream.peer_addr().ok();
    // What a stream has to say goes at once, however little it is.
    let _ = stream.set_nodelay(true);
    let mut rules = Rules { head_timeout: how.head_timeout, changes_protocols: how.changes_protocols, is_http1: true };
    let Some(tls) = &how.tls else {
        return Ok((Wire::stream(Socket::Plain(stream), rules, None), Protocol::Http1, peer));
    };
    let shaken = timeout(how.head_timeout, tls.acceptor().accept(stream)).await;
    let stream = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
        metrics::counter!("tls_handshakes_failed_total").increment(1);
        tracing::debug!(event = "tls_handshake_failed", %error);
        DispatchError::Io(error)
    })?;
    let session = stream.get_ref().1;
    let protocol = match session.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    rules.is_http1 = protocol == Protocol::Http1;
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    let certificate = shown.and_then(|der| HeaderValue::try_from(format!(":{}:", STANDARD.encode(der))).ok());
    Ok((Wire::stream(Socket::Tls(Box::new(stream)), rules, certificate), protocol, peer))
}
