//! HTTP/2 from clients (RFC 9113), by hyper. Each stream becomes a request to the same application, on the same thread, that
//! the requests of HTTP/1.1 go to.

mod answer;
mod grpc;
mod preface;
mod request;
mod streams;
mod trailers;

use std::{convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, rc::Rc, time::Duration};

use actix_http::{Request, Response};
use actix_service::Service;
use actix_web::{
    body::{BoxBody, EitherBody, MessageBody},
    http::header::HeaderValue,
};
use hyper::{body::Incoming, rt::Executor, server::conn::http2::Builder, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
pub(super) use preface::{Opening, opening};
pub use trailers::AnswerTrailers;

use self::{answer::AnswerBody, streams::Streams};
use super::wire::Socket;

/// The longest header list, as RFC 9113 §6.5.2 counts it; no longer than a head of HTTP/1.1 may be.
const MOST_HEAD_BYTES: u32 = 64 << 10;
/// What is kept of an answer's body while its client does not take it.
const MOST_UNSENT_BYTES: usize = 64 << 10;

/// How long who has asked nothing yet may take to hear that the connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// The bounds of a connection.
#[derive(Debug, Clone)]
pub struct Http2 {
    /// Requests at the same time.
    pub max_streams: u32,
    /// Requests that may have been broken off by the client before their answer, more than were answered.
    pub max_resets: u32,
    /// How much of a request's body may come before it was taken, in bytes.
    pub stream_window: u32,
    /// The same for all requests of a connection together.
    pub connection_window: u32,
    /// How often the client is asked whether it is still there.
    pub ping_interval: Duration,
    /// How long it may take to say so.
    pub ping_timeout: Duration,
    /// How long a connection without requests is kept.
    pub idle_timeout: Duration,
}

/// The certificate that the client of a connection has shown and that was verified, as the value of `Client-Cert`
/// (RFC 9440); in the extensions of its requests.
#[derive(Debug, Clone)]
pub struct ClientCertificate(pub HeaderValue);

/// Who is at the other end.
pub(super) struct Client {
    pub(super) peer: Option<SocketAddr>,
    pub(super) certificate: Option<HeaderValue>,
}

/// Serves a connection to its end. Once `ending` is ready no new requests are taken, and those under way are finished.
pub(super) async fn serve<S, B>(
    socket: Socket,
    client: Client,
    app: Rc<S>,
    bounds: &Http2,
    ending: impl Future<Output = ()>,
) where
    S: Service<Request, Error = Response<BoxBody>> + 'static,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
{
    let streams = Rc::new(Streams::new(bounds.max_resets));
    let client = Rc::new(client);
    let counted = streams.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        exchange(app.clone(), request, client.clone(), counted.clone())
    });
    let resets = bounds.max_resets as usize;
    let mut builder = Builder::new(ThisThread);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.max_streams)
        .max_pending_accept_reset_streams(resets)
        .max_local_error_reset_streams(resets)
        .max_header_list_size(MOST_HEAD_BYTES)
        .max_send_buf_size(MOST_UNSENT_BYTES)
        .initial_stream_window_size(bounds.stream_window)
        .initial_connection_window_size(bounds.connection_window)
        .keep_alive_interval(bounds.ping_interval)
        .keep_alive_timeout(bounds.ping_timeout);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let mut ending = pin!(ending);
    let mut idle = pin!(streams.idle(bounds.idle_timeout));
    let mut is_ending = false;
    loop {
        tokio::select! {
            biased;
            () = streams.flooded() => {
                metrics::counter!("http2_connections_closed_total", "reason" => "resets").increment(1);
                tracing::warn!(event = "http2_resets", detail = "a client breaks off more requests than it lets be answered");
                return;
            }
            outcome = connection.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(event = "http2_connection_ended", %error);
                }
                return;
            }
            () = ending.as_mut(), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
                idle.set(streams.idle(FAREWELL));
            }
            () = idle.as_mut(), if !is_ending || !streams.were_any() => {
                // Who has asked nothing yet loses nothing, and may not even have greeted; others say that they have heard.
                if !streams.were_any() {
                    return;
                }
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// One request and its answer.
async fn exchange<S, B>(
    app: Rc<S>,
    request: http::Request<Incoming>,
    client: Rc<Client>,
    streams: Rc<Streams>,
) -> Result<http::Response<AnswerBody<B>>, Infallible>
where
    S: Service<Request, Error = Response<BoxBody>>,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
{
    let mut stream = streams.begin();
    let is_head = request.method() == http::Method::HEAD;
    let is_grpc = grpc::is_asked(request.headers());
    let response = match app.call(request::accept(request, &client)).await {
        Ok(response) => response.into().map_body(|_, body| EitherBody::left(body)),
        Err(response) => response.map_body(|_, body| EitherBody::right(body)),
    };
    stream.answered();
    if let Some(status) = grpc::status(&response).filter(|_| is_grpc) {
        return Ok(grpc::answer(response, status));
    }
    Ok(answer::of(response, is_head, is_grpc, stream))
}

/// Requests are served by the thread of their connection.
#[derive(Clone, Copy)]
struct ThisThread;

impl<F: Future + 'static> Executor<F> for ThisThread {
    fn execute(&self, future: F) {
        actix_web::rt::spawn(future);
    }
}

/// As an error of input or output, whatever it was.
fn broken(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}
