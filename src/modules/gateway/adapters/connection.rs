//! One connection to a target, speaking HTTP/1.1 by hyper. The connection is driven by the request that uses it, in the
//! same task: no task of its own, no wake-up between the two; and dropping the request closes the connection. With HTTP/2
//! a link is a share of a connection, which has a task of its own.

mod h2;

use std::{
    future::Future as _,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Instant,
};

use http::{
    Request, Response,
    uri::{Authority, Scheme},
};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::request_body::RequestBody;
use crate::platform::tls::ClientConnector;

/// An open connection, idle or in use.
pub(super) struct Link {
    speaks: Speaks,
    /// Whether it has served a request before.
    pub(super) reused: bool,
    /// Since when it has been idle.
    pub(super) idle_since: Instant,
}

#[expect(clippy::large_enum_variant, reason = "a box would cost every connection an allocation, for the rarer kind")]
enum Speaks {
    /// HTTP/1.1, one exchange at a time.
    One { sender: SendRequest<RequestBody>, driver: Connection<TokioIo<Stream>, RequestBody> },
    /// HTTP/2, many at a time.
    Many(h2::Sender),
}

/// How sending a request failed.
pub(super) struct SendFault {
    pub(super) error: hyper::Error,
    /// The request, when no byte of it was sent.
    pub(super) unsent: Option<Box<Request<RequestBody>>>,
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
            let speaks = Speaks::Many(h2::open(stream).await?);
            return Ok(Self { speaks, reused: false, idle_since: Instant::now() });
        }
        let handshake = Builder::new().max_headers(128).handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(io::Error::other)?;
        Ok(Self { speaks: Speaks::One { sender, driver }, reused: false, idle_since: Instant::now() })
    }

    /// Another share of the same connection, where there can be one.
    pub(super) fn share(&self) -> Option<Self> {
        let Speaks::Many(sender) = &self.speaks else { return None };
        Some(Self { speaks: Speaks::Many(sender.clone()), reused: true, idle_since: self.idle_since })
    }

    /// Whether others may use the connection at the same time.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.speaks, Speaks::Many(_))
    }

    /// Whether an idle connection can take a request: it was not closed, and nothing came that was not asked for.
    pub(super) fn is_usable(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.speaks {
            Speaks::One { sender, driver } => Pin::new(driver).poll(cx).is_pending() && sender.is_ready(),
            Speaks::Many(sender) => !sender.is_closed(),
        }
    }

    /// Lets the protocol make progress. Ready when the connection is at its end.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.speaks {
            Speaks::One { driver, .. } => Pin::new(driver).poll(cx).map(|_| ()),
            Speaks::Many(_) => Poll::Pending,
        }
    }

    /// Sends a request and waits for the response's head.
    /// One that may change the protocol leaves the connection open for that.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
        may_change_protocol: bool,
    ) -> Result<Response<Incoming>, SendFault> {
        let (sender, driver) = match &mut self.speaks {
            Speaks::One { sender, driver } => (sender, driver),
            Speaks::Many(sender) => return h2::send(sender, request).await,
        };
        let mut answer = pin!(sender.try_send_request(request));
        let sent = std::future::poll_fn(|cx| {
            // The driver may be at its end and have left the answer behind, so the answer is asked after it once more.
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            let _ =
                if may_change_protocol { driver.poll_without_shutdown(cx) } else { Pin::new(&mut *driver).poll(cx) };
            answer.as_mut().poll(cx)
        });
        sent.await.map_err(|mut fault| {
            let unsent = fault.take_message().map(Box::new);
            SendFault { error: fault.into_error(), unsent }
        })
    }
}

impl Link {
    /// The stream beneath, once the target has changed the protocol, and what it has said in the new one.
    pub(super) async fn into_stream(self) -> Option<(Stream, bytes::Bytes)> {
        let Speaks::One { mut driver, .. } = self.speaks else { return None };
        let ended = std::future::poll_fn(|cx| Poll::Ready(driver.poll_without_shutdown(cx).is_ready())).await;
        let parts = driver.into_parts();
        ended.then(|| (parts.io.into_inner(), parts.read_buf))
    }
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
