//! One connection to a target, speaking HTTP/1.1 by hyper. The connection is driven by the request that uses it, in the
//! same task: no task of its own, no wake-up between the two; and dropping the request closes the connection. With HTTP/2
//! a link is a share of a connection, which has a task of its own.

mod h2;

use std::{
    future::{Future as _, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
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
    task::unconstrained,
};
use tokio_rustls::client::TlsStream;

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
    One(Box<One>),
    /// HTTP/2, many at a time.
    Many(h2::Sender),
}

struct One {
    sender: SendRequest<RequestBody>,
    driver: Connection<TokioIo<Stream>, RequestBody>,
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
            return Ok(Self::new(Speaks::Many(h2::open(stream).await?)));
        }
        let handshake = Builder::new().handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(io::Error::other)?;
        Ok(Self::new(Speaks::One(Box::new(One { sender, driver }))))
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
            // Nobody is woken by it: it is looked at again when it is wanted.
            Speaks::One(one) => Pin::new(&mut one.driver).poll(&mut quiet()).is_pending() && one.sender.is_ready(),
            Speaks::Many(sender) => !sender.is_closed(),
        }
    }

    /// Lets the protocol make progress. Ready when the connection is at its end.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.speaks {
            Speaks::One(one) => Pin::new(&mut one.driver).poll(cx).map(|_| ()),
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
            Speaks::One(one) => (&mut one.sender, &mut one.driver),
            Speaks::Many(sender) => return h2::send(sender, request).await,
        };
        // The answer comes from the driver, which is asked right before it: nothing else needs to wake this task, nor is
        // the runtime's patience with it spent twice.
        let mut answer = pin!(unconstrained(sender.try_send_request(request)));
        let at_once = answer.as_mut().poll(&mut quiet());
        let sent = match at_once {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                poll_fn(|cx| {
                    let _ = if may_change_protocol {
                        driver.poll_without_shutdown(cx)
                    } else {
                        Pin::new(&mut *driver).poll(cx)
                    };
                    answer.as_mut().poll(&mut quiet())
                })
                .await
            }
        };
        sent.map_err(|mut fault| {
            let unsent = fault.take_message().map(Box::new);
            SendFault { error: fault.into_error(), unsent }
        })
    }
}

/// For what is asked by a task that is woken otherwise.
pub(super) fn quiet<'a>() -> Context<'a> {
    Context::from_waker(Waker::noop())
}

impl Link {
    /// The stream beneath, once the target has changed the protocol, and what it has said in the new one.
    pub(super) async fn into_stream(self) -> Option<(Stream, bytes::Bytes)> {
        let Speaks::One(one) = self.speaks else { return None };
        let mut driver = one.driver;
        let ended = poll_fn(|cx| Poll::Ready(driver.poll_without_shutdown(cx).is_ready())).await;
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
