//! One connection to a target. With HTTP/1.1 it is driven by the request that uses it, in the same task: no task of its own,
//! no wake-up between the two; and dropping the request closes the connection. With HTTP/2, by hyper, a link is a share of
//! a connection, which has a task of its own.

mod h1;
mod h2;

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use http::{
    Request,
    uri::{Authority, Scheme},
};
use hyper::body::Incoming;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

pub(super) use self::{
    h1::{Head, Piece, Request as HttpOneRequest},
    h2::poll_piece,
};
use super::{alarm::Alarm, request_body::RequestBody};
use crate::platform::tls::ClientConnector;

/// An open connection, idle or in use.
pub(super) struct Link {
    speaks: Speaks,
    /// Whether it has served a request before.
    pub(super) reused: bool,
    /// Since when it has been idle.
    pub(super) idle_since: Instant,
    /// Bounds what is waited for on it.
    pub(super) alarm: Alarm,
}

enum Speaks {
    /// HTTP/1.1, one exchange at a time. In a box: a link is handed on many times in the life of a request.
    One(Box<h1::Connection>),
    /// HTTP/2, many at a time.
    Many(h2::Sender),
}

/// A request in the form of the protocol that the target speaks.
pub(super) enum Prepared {
    One(HttpOneRequest),
    Many(Box<Request<RequestBody>>),
}

/// The head of an answer. Its body is asked for on the connection.
pub(super) struct Answered {
    pub(super) head: Head,
    /// With HTTP/2 the body comes from elsewhere.
    pub(super) incoming: Option<Incoming>,
}

/// How sending a request failed.
pub(super) struct SendFault {
    pub(super) error: ExchangeFailed,
    /// The request's body, when no byte of the request was sent.
    pub(super) unsent: Option<RequestBody>,
}

/// How an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeFailed {
    #[error("{0}")]
    One(#[from] h1::Failed),
    #[error("{0}")]
    Many(#[from] hyper::Error),
    #[error("the request is for a target of another protocol")]
    Protocol,
}

/// Where to connect to.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    /// For https.
    pub(super) tls: Option<Tls>,
    /// For HTTP/2: what every request says of where it goes.
    pub(super) h2: Option<(Scheme, Authority)>,
}

/// TLS to a target.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) connector: ClientConnector,
    pub(super) name: ServerName<'static>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name.fmt(f)
    }
}

impl Link {
    /// Connects. The caller bounds the time.
    pub(super) async fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let stream = Stream::open(endpoint).await?;
        if endpoint.h2.is_some() {
            return Ok(Self::new(Speaks::Many(h2::open(stream).await?)));
        }
        Ok(Self::new(Speaks::One(Box::new(h1::Connection::new(stream)))))
    }

    fn new(speaks: Speaks) -> Self {
        Self { speaks, reused: false, idle_since: Instant::now(), alarm: Alarm::default() }
    }

    /// Another share of the same connection, where there can be one.
    pub(super) fn share(&self) -> Option<Self> {
        let Speaks::Many(sender) = &self.speaks else { return None };
        let speaks = Speaks::Many(sender.clone());
        Some(Self { speaks, reused: true, idle_since: self.idle_since, alarm: Alarm::default() })
    }

    /// Whether others may use the connection at the same time.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.speaks, Speaks::Many(_))
    }

    /// Whether an idle connection can take a request: it was not closed, and nothing came that was not asked for.
    pub(super) fn is_usable(&mut self) -> bool {
        match &mut self.speaks {
            Speaks::One(connection) => connection.is_usable(),
            Speaks::Many(sender) => !sender.is_closed(),
        }
    }

    /// Gives back what an exchange took beyond what a connection needs; called when it has had nothing to
    /// do for a while.
    pub(super) fn rest(&mut self) {
        if let Speaks::One(connection) = &mut self.speaks {
            connection.rest();
        }
    }

    /// Sends a request and waits for the answer's head.
    pub(super) async fn send(&mut self, request: Prepared) -> Result<Answered, SendFault> {
        match (&mut self.speaks, request) {
            (Speaks::One(connection), Prepared::One(request)) => {
                connection.begin(request);
                let head = poll_fn(|cx| connection.poll_head(cx)).await;
                head.map(|head| Answered { head, incoming: None })
                    .map_err(|failed| SendFault { error: failed.into(), unsent: connection.take_unsent() })
            }
            // In a box: who speaks HTTP/1.1 does not carry it along.
            (Speaks::Many(sender), Prepared::Many(request)) => Box::pin(h2::send(sender, *request)).await,
            _ => Err(SendFault { error: ExchangeFailed::Protocol, unsent: None }),
        }
    }

    /// The next piece of the answer's body, where it comes on this connection; `None` at its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, ExchangeFailed>>> {
        match &mut self.speaks {
            Speaks::One(connection) => {
                connection.poll_body(cx).map(|piece| piece.map(|piece| piece.map_err(ExchangeFailed::One)))
            }
            Speaks::Many(_) => Poll::Ready(None),
        }
    }

    /// How much of the answer's body is still to come, where that is known.
    pub(super) fn body_length(&self) -> Option<u64> {
        match &self.speaks {
            Speaks::One(connection) => connection.body_length(),
            Speaks::Many(_) => None,
        }
    }

    /// The stream beneath, once the target has changed the protocol, and what it has said in the new one.
    pub(super) fn into_stream(self) -> Option<(Stream, bytes::Bytes)> {
        let Speaks::One(connection) = self.speaks else { return None };
        connection.into_stream()
    }
}

/// For what is asked by a task that is woken otherwise.
fn quiet<'a>() -> Context<'a> {
    Context::from_waker(Waker::noop())
}

/// A byte stream, encrypted or not.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Connects, with TLS where the endpoint wants it.
    pub(super) async fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
        tcp.set_nodelay(true)?;
        match &endpoint.tls {
            None => Ok(Self::Plain(tcp)),
            Some(tls) => Ok(Self::Tls(Box::new(tls.connector.connector().connect(tls.name.clone(), tcp).await?))),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
