//! What stands between a client's socket and the HTTP parser. It looks at each request's framing before the parser does and
//! refuses what two parsers could read in two ways; it gives one request at a time, so that an answer that ends the
//! connection is the last one; it keeps a head from taking for ever on a connection that has served before; it sends `100 Continue` when the body is wanted and not sooner; and it hands the connection over when the
//! protocol changes. All of it happens in the task of the connection, on the bytes where they are.

mod framing;
mod refusal;
mod socket;
mod words;

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_web::http::header::HeaderValue;
use bytes::{Buf as _, BytesMut};
use framing::{Framing, Seen};
pub(super) use refusal::Refusal;
pub(super) use socket::Socket;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};
use words::Words;

/// What the HTTP library writes before it calls a service with a request that expects it.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// No more than this is taken of a new protocol before it was agreed to.
const MOST_EARLY: usize = 16 << 10;

/// How a connection is watched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// How long the head of a request may take once its first byte has come.
    pub(super) head_timeout: Duration,
    /// Whether somebody judges `Upgrade`; nobody: it is ignored.
    pub(super) changes_protocols: bool,
    /// HTTP/1; other bytes are passed on unseen.
    pub(super) is_http1: bool,
}

/// A client's connection, as its requests see it: in their connection data.
pub struct Wire {
    inner: RefCell<Inner>,
    /// Requests that were given to the application.
    begun: Cell<u32>,
    /// Requests whose answer is done.
    served: Cell<u32>,
}

/// The stream that the HTTP library reads and writes.
pub(super) struct WireStream {
    wire: Rc<Wire>,
}

struct Inner {
    socket: Socket,
    rules: Rules,
    framing: Framing,
    phase: Phase,
    /// Bytes that came before their time: those of the next request, or of another protocol.
    early: BytesMut,
    waits_for_answer: Option<Waker>,
    go_on: GoOn,
    /// Whether everything that was written so far is on its way, and who waits for that.
    flushed: bool,
    waits_for_flush: Option<Waker>,
    head_timer: Option<Pin<Box<Sleep>>>,
    /// The last write had to wait.
    blocked: bool,
    /// The framing of what was asked last was refused.
    refused: bool,
    words: Words,
    client_certificate: Option<HeaderValue>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Requests, watched.
    Http,
    /// Bytes that are not looked at.
    Unseen,
    /// The next request has begun before the answer to the one before it is done.
    Held,
    /// A change of protocols was asked for; nothing more is given to the parser.
    Asked,
    /// The framing was refused; the parser is made to see it.
    Refused,
    /// Another protocol, which is read and written past the parser.
    Tunnel,
    /// Nothing more comes.
    Over,
}

/// The state of a `100 Continue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GoOn {
    No,
    /// The library is about to write it.
    Coming,
    /// It was kept back.
    Held,
    /// So many bytes of it are still to be sent.
    Owed(usize),
}

impl Wire {
    /// Watches a socket.
    pub(super) fn stream(socket: Socket, rules: Rules, client_certificate: Option<HeaderValue>) -> WireStream {
        let inner = Inner {
            socket,
            rules,
            framing: Framing::new(rules.changes_protocols),
            phase: if rules.is_http1 { Phase::Http } else { Phase::Unseen },
            early: BytesMut::new(),
            waits_for_answer: None,
            go_on: GoOn::No,
            flushed: false,
            waits_for_flush: None,
            head_timer: None,
            blocked: false,
            refused: false,
            words: Words::default(),
            client_certificate,
        };
        WireStream { wire: Rc::new(Self { inner: RefCell::new(inner), begun: Cell::new(0), served: Cell::new(0) }) }
    }

    /// The certificate that the client has shown and that was verified, as the value of `Client-Cert` (RFC 9440).
    pub fn client_certificate(&self) -> Option<HeaderValue> {
        self.inner.borrow().client_certificate.clone()
    }

    /// Tells that a request is given to the application.
    pub(super) fn begun(&self) {
        self.begun.set(self.begun.get().wrapping_add(1));
        self.inner.borrow_mut().words.spoke = false;
    }

    /// Tells that a request and its answer are done.
    pub(super) fn served(&self) {
        self.served.set(self.served.get().wrapping_add(1));
        let mut inner = self.inner.borrow_mut();
        // The next request waits until the answer has left: it may have been the last of the connection.
        inner.flushed = false;
        if let Some(waker) = inner.waits_for_answer.take() {
            inner.waits_for_flush = Some(waker);
        }
    }

    /// Waits until all earlier answers have left, so that what is written next is the `100 Continue`, which is kept back.
    pub(super) async fn hold_continue(&self) {
        self.inner.borrow_mut().flushed = false;
        poll_fn(|cx| self.poll_flushed(cx)).await;
        self.inner.borrow_mut().go_on = GoOn::Coming;
    }

    /// Sends the `100 Continue` that was kept back, if one was: the body is wanted.
    pub fn go_on(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.go_on = match inner.go_on {
            GoOn::Held => GoOn::Owed(0),
            GoOn::Owed(sent) => GoOn::Owed(sent),
            GoOn::Coming | GoOn::No => GoOn::No,
        };
    }

    /// Takes the connection over for the protocol that the client asked for; `None` when it did not ask on this
    /// connection. What the client sends from now on, and what it sent since its request, comes out of the tunnel.
    pub fn tunnel(self: &Rc<Self>) -> Option<Tunnel> {
        let mut inner = self.inner.borrow_mut();
        if inner.phase != Phase::Asked {
            return None;
        }
        inner.phase = Phase::Tunnel;
        inner.flushed = false;
        Some(Tunnel { wire: self.clone() })
    }

    fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner.borrow_mut();
        if inner.flushed {
            return Poll::Ready(());
        }
        inner.waits_for_flush = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("phase", &self.inner.borrow().phase).finish_non_exhaustive()
    }
}

/// A client's connection after the protocol has changed. Dropping it closes the connection.
#[derive(Debug)]
pub struct Tunnel {
    wire: Rc<Wire>,
}

impl Tunnel {
    /// Waits until the `101` has left: nothing of the new protocol may come before it.
    pub fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.wire.poll_flushed(cx)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.wire.inner.borrow_mut().phase = Phase::Over;
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.wire.inner.borrow_mut();
        if inner.early.is_empty() {
            return Pin::new(&mut inner.socket).poll_read(cx, buffer);
        }
        inner.give_early(buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire.inner.borrow_mut().socket).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire.inner.borrow_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire.inner.borrow_mut().socket).poll_shutdown(cx)
    }
}

impl WireStream {
    /// What requests get to see of it.
    pub(super) fn wire(&self) -> Rc<Wire> {
        self.wire.clone()
    }
}

impl Inner {
    fn read_http(&mut self, served: u32, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.socket).poll_read(cx, buffer) {
            Poll::Pending if self.framing.is_inside_head() => return self.poll_head_timer(served, cx),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(outcome) => outcome?,
        }
        self.look(served, before, buffer);
        // Nothing given is the end for the library.
        if self.phase == Phase::Held && buffer.filled().len() == before {
            return self.read_held(served, cx, buffer);
        }
        Poll::Ready(Ok(()))
    }

    /// Looks at what was put into the buffer, and takes out what does not belong there yet.
    fn look(&mut self, served: u32, before: usize, buffer: &mut ReadBuf<'_>) {
        match self.framing.scan(&mut buffer.filled_mut()[before..], served) {
            Seen::Fine => {}
            Seen::TooEarly(at) => {
                self.keep_early(&buffer.filled()[before + at..]);
                buffer.set_filled(before + at);
                self.phase = Phase::Held;
            }
            Seen::OtherProtocol(at) => {
                self.keep_early(&buffer.filled()[before + at..]);
                buffer.set_filled(before + at);
                self.phase = Phase::Asked;
            }
            Seen::Refused(at) => {
                tracing::debug!(event = "framing_refused");
                buffer.set_filled(before + at + 1);
                self.phase = Phase::Refused;
                self.refused = true;
            }
        }
        if self.head_timer.is_some() && !self.framing.is_inside_head() {
            self.head_timer = None;
        }
    }

    /// Goes on with the next request when the one before it is answered; until then, notices a client that goes away.
    fn read_held(&mut self, served: u32, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if served != self.framing.heads() || !self.flushed {
            let is_answered = served == self.framing.heads();
            let waits = if is_answered { &mut self.waits_for_flush } else { &mut self.waits_for_answer };
            *waits = Some(cx.waker().clone());
            return self.read_early(cx);
        }
        self.phase = Phase::Http;
        if self.early.is_empty() {
            return self.read_http(served, cx, buffer);
        }
        let before = buffer.filled().len();
        self.give_early(buffer);
        self.look(served, before, buffer);
        Poll::Ready(Ok(()))
    }

    /// Keeps what came too early; it goes before what is kept already.
    fn keep_early(&mut self, bytes: &[u8]) {
        let later = std::mem::take(&mut self.early);
        self.early.extend_from_slice(bytes);
        self.early.extend_from_slice(&later);
    }

    fn give_early(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..count]);
        self.early.advance(count);
        if self.early.is_empty() {
            self.early = BytesMut::new();
        }
    }

    /// The first head of a connection is timed by the library; this is for those after it.
    fn poll_head_timer(&mut self, served: u32, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.framing.heads() == 0 {
            return Poll::Pending;
        }
        let limit = self.rules.head_timeout;
        let timer = self.head_timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.phase = Phase::Over;
        // Not into the middle of another answer. What does not fit into the socket now is not worth waiting for.
        if served == self.framing.heads() && !self.blocked {
            let answer = Refusal::Slow.answer(self.socket.peer());
            let _ = Pin::new(&mut self.socket).poll_write(cx, &answer);
            let _ = Pin::new(&mut self.socket).poll_flush(cx);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes some of what comes too early, so that a client that goes away is noticed.
    fn read_early(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 1024];
        while self.early.len() < MOST_EARLY {
            let mut piece = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.socket).poll_read(cx, &mut piece) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => self.early.extend_from_slice(piece.filled()),
                Poll::Ready(outcome) => {
                    self.phase = Phase::Over;
                    return Poll::Ready(outcome);
                }
            }
        }
        Poll::Pending
    }

    /// Writes the `100 Continue` that is owed.
    fn poll_owed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let GoOn::Owed(sent) = self.go_on {
            match Pin::new(&mut self.socket).poll_write(cx, &CONTINUE[sent..]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) if sent + count < CONTINUE.len() => self.go_on = GoOn::Owed(sent + count),
                Poll::Ready(Ok(_)) => self.go_on = GoOn::No,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for WireStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.wire.inner.borrow_mut();
        match inner.phase {
            Phase::Http => inner.read_http(self.wire.served.get(), cx, buffer),
            Phase::Unseen => Pin::new(&mut inner.socket).poll_read(cx, buffer),
            Phase::Held => inner.read_held(self.wire.served.get(), cx, buffer),
            Phase::Asked => inner.read_early(cx),
            Phase::Refused => {
                // Whatever state the parser is in, it takes one of these for an end of a line and the other for no start.
                let count = buffer.remaining().min(2);
                buffer.put_slice(&b"\r\0"[..count]);
                inner.phase = Phase::Tunnel;
                Poll::Ready(Ok(()))
            }
            Phase::Tunnel => Poll::Pending,
            Phase::Over => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for WireStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = &self.wire;
        let inner = &mut *wire.inner.borrow_mut();
        if !inner.words.own.is_empty() && inner.send_own(cx)?.is_pending() {
            return Poll::Pending;
        }
        // The first digit of the status tells most answers apart at once.
        if inner.rules.is_http1 && (inner.refused || bytes.get(9) == Some(&b'4')) {
            let is_idle = wire.begun.get() == wire.served.get();
            if let Some(outcome) = inner.reword(is_idle, wire.begun.get() == 0, cx, bytes) {
                return Poll::Ready(outcome);
            }
        }
        if inner.go_on != GoOn::No {
            if inner.go_on == GoOn::Coming && bytes.starts_with(CONTINUE) {
                inner.go_on = GoOn::Held;
                return Poll::Ready(Ok(CONTINUE.len()));
            }
            if inner.poll_owed(cx)?.is_pending() {
                return Poll::Pending;
            }
        }
        let outcome = Pin::new(&mut inner.socket).poll_write(cx, bytes);
        inner.blocked = outcome.is_pending();
        inner.words.spoke = true;
        outcome
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.wire.inner.borrow_mut();
        if inner.send_own(cx)?.is_pending()
            || inner.poll_owed(cx)?.is_pending()
            || Pin::new(&mut inner.socket).poll_flush(cx)?.is_pending()
        {
            return Poll::Pending;
        }
        inner.flushed = true;
        if let Some(waker) = inner.waits_for_flush.take() {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.wire.inner.borrow_mut();
        inner.say_refused();
        if inner.send_own(cx)?.is_pending() {
            return Poll::Pending;
        }
        Pin::new(&mut inner.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let inner = &mut *self.wire.inner.borrow_mut();
        Pin::new(&mut inner.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        let inner = self.wire.inner.borrow();
        // With HTTP/1 one write is one buffer, which is looked at.
        inner.phase == Phase::Unseen && inner.socket.is_write_vectored()
    }
}
