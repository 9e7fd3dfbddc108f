//! HTTP/1.1 to a target (RFC 9112): one exchange at a time on a connection, in the task of the request that it belongs to.
//! A request is written while its answer is read; nothing is handed on between tasks, and what has come is taken as it lies
//! in the buffer.

mod chunks;
mod head;

use std::{
    future::Future as _,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use actix_web::http::StatusCode;
use bytes::{Buf as _, Bytes, BytesMut};
use hyper::body::Body as _;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};

use self::head::{Body, MOST_HEAD, Nonsense, end_of_head};
pub(in crate::modules::gateway::adapters) use self::{chunks::Piece, head::Head};
use super::{Stream, quiet};
use crate::modules::gateway::adapters::request_body::{BodyFault, RequestBody};

/// Room for what comes. It doubles as long as it is filled, so that large bodies come in large pieces.
const LEAST_ROOM: usize = 8 << 10;
const MOST_ROOM: usize = 128 << 10;
/// So much is gathered before it is written.
const GATHERED: usize = 32 << 10;

/// A request, ready to be written.
#[derive(Debug)]
pub(in crate::modules::gateway::adapters) struct Request {
    /// Request line and headers, but for those that delimit the body, without the empty line.
    pub(in crate::modules::gateway::adapters) head: Vec<u8>,
    /// `HEAD`: the answer has no body, whatever it says.
    pub(in crate::modules::gateway::adapters) is_head: bool,
    /// The target may change the protocol.
    pub(in crate::modules::gateway::adapters) may_change: bool,
    pub(in crate::modules::gateway::adapters) body: RequestBody,
}

/// How an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::modules::gateway::adapters) enum Failed {
    #[error("{0}")]
    Connection(#[from] io::Error),
    #[error("the connection was closed")]
    Closed,
    #[error("{0}")]
    Answer(#[from] Nonsense),
    #[error("{0}")]
    Body(#[from] BodyFault),
}

/// A connection.
pub(super) struct Connection {
    stream: Stream,
    /// What is to be written.
    out: BytesMut,
    /// Whether something of the request was written, or taken from its body.
    has_begun: bool,
    body: RequestBody,
    sending: Sending,
    /// What has come and was not taken.
    come: BytesMut,
    /// So much of it was searched for the end of the head.
    searched: usize,
    room: usize,
    receiving: Receiving,
    /// No further request can be sent on it.
    is_over: bool,
}

/// What is left of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// Nothing, but for what was gathered.
    Nothing,
    /// So many bytes.
    Length(u64),
    Chunks,
}

/// What is left of an answer.
#[derive(Debug)]
enum Receiving {
    /// Nothing was asked.
    Nothing,
    Head {
        /// The request was `HEAD`: the answer has no body, whatever it says.
        is_head: bool,
        may_change: bool,
    },
    Body(Body),
    /// The protocol has changed.
    Changed,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            out: BytesMut::new(),
            has_begun: false,
            body: RequestBody::Empty,
            sending: Sending::Nothing,
            come: BytesMut::new(),
            searched: 0,
            room: LEAST_ROOM,
            receiving: Receiving::Nothing,
            is_over: false,
        }
    }

    /// Whether an idle connection can take a request: it was not closed, and nothing came that was not asked for. Nobody is
    /// woken by it: it is looked at again when it is wanted.
    pub(super) fn is_usable(&mut self) -> bool {
        matches!(self.receiving, Receiving::Nothing)
            && !self.is_over
            && self.come.is_empty()
            && self.out.is_empty()
            && self.sending == Sending::Nothing
            && self.poll_read(&mut quiet()).is_pending()
    }

    /// Gives back what large exchanges took; called when the connection has had nothing to do for a while.
    pub(super) fn rest(&mut self) {
        if self.room > LEAST_ROOM {
            self.room = LEAST_ROOM;
            self.come = BytesMut::new();
        }
        if self.out.capacity() > GATHERED / 2 {
            self.out = BytesMut::new();
        }
    }

    /// Begins an exchange.
    pub(super) fn begin(&mut self, request: Request) {
        self.out.clear();
        self.out.extend_from_slice(&request.head);
        self.sending = match &request.body {
            RequestBody::Empty => Sending::Nothing,
            body => body.size_hint().exact().map_or(Sending::Chunks, Sending::Length),
        };
        match self.sending {
            Sending::Nothing => self.out.extend_from_slice(b"\r\n"),
            Sending::Chunks => self.out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
            Sending::Length(length) => {
                self.out.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
            }
        }
        if self.sending == Sending::Length(0) {
            self.sending = Sending::Nothing;
        }
        self.body = request.body;
        self.has_begun = false;
        self.receiving = Receiving::Head { is_head: request.is_head, may_change: request.may_change };
        self.searched = 0;
    }

    /// The body back, where the exchange failed before a byte of it, or of the head, was sent; then the request can be sent
    /// again whatever it is.
    pub(super) fn take_unsent(&mut self) -> Option<RequestBody> {
        (!self.has_begun).then(|| std::mem::replace(&mut self.body, RequestBody::Empty))
    }

    /// Sends the request, and waits for the head of its answer.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Failed>> {
        // A target that does not take all of the request may have said why.
        let sent = match self.poll_send(cx) {
            Poll::Ready(Err(Failed::Body(fault))) => return Poll::Ready(Err(fault.into())),
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        };
        loop {
            if let Some(head) = self.read_head()? {
                if sent.is_err() {
                    self.stop_sending();
                }
                return Poll::Ready(Ok(head));
            }
            match self.poll_read(cx) {
                Poll::Pending => return sent.map_or_else(|failed| Poll::Ready(Err(failed)), |()| Poll::Pending),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(sent.err().unwrap_or(Failed::Closed))),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(sent.err().unwrap_or(error.into()))),
            }
        }
    }

    /// The next piece of the answer's body; `None` at its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Failed>>> {
        // An answer may come before the whole request was sent; then both go on.
        if (self.sending != Sending::Nothing || !self.out.is_empty())
            && let Poll::Ready(Err(_)) = self.poll_send(cx)
        {
            self.stop_sending();
        }
        loop {
            match self.read_body() {
                Err(nonsense) => return Poll::Ready(Some(Err(nonsense.into()))),
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(None) if self.is_body_through() => return Poll::Ready(None),
                Ok(None) => {}
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) if matches!(self.receiving, Receiving::Body(Body::UntilClose)) => {
                    self.is_over = true;
                    self.receiving = Receiving::Nothing;
                    return Poll::Ready(None);
                }
                Ok(0) => return Poll::Ready(Some(Err(Failed::Closed))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// Whether nothing of the answer's body is to come.
    pub(super) fn is_body_through(&self) -> bool {
        matches!(self.receiving, Receiving::Nothing | Receiving::Changed)
    }

    /// The length of the answer's body that is still to come, where that is known.
    pub(super) fn body_length(&self) -> Option<u64> {
        match self.receiving {
            Receiving::Body(Body::Length(length)) => Some(length),
            Receiving::Body(_) | Receiving::Head { .. } => None,
            Receiving::Nothing | Receiving::Changed => Some(0),
        }
    }

    /// The stream beneath, once the target has changed the protocol, and what it has said in the new one.
    pub(super) fn into_stream(self) -> Option<(Stream, Bytes)> {
        matches!(self.receiving, Receiving::Changed).then(|| (self.stream, self.come.freeze()))
    }

    /// Writes as much of the request as there is and the target takes. Ready when all of it was written.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        loop {
            let gathered = self.gather(cx)?;
            while !self.out.is_empty() {
                let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))?;
                if count == 0 {
                    return Poll::Ready(Err(Failed::Closed));
                }
                self.has_begun = true;
                self.out.advance(count);
            }
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            ready!(gathered);
            if self.sending == Sending::Nothing {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Puts what there is of the request's body to what is to be written, so that a small one goes with its head. Ready
    /// when that is enough, pending when the client keeps the rest back.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Failed> {
        while self.sending != Sending::Nothing && self.out.len() < GATHERED {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(None) => None,
                Poll::Ready(Some(frame)) => Some(frame?),
            };
            let Some(frame) = frame else {
                match self.sending {
                    Sending::Chunks => self.out.extend_from_slice(b"0\r\n\r\n"),
                    // Shorter than announced: the target must not wait for the rest.
                    Sending::Length(_) => return Err(BodyFault::Broken.into()),
                    Sending::Nothing => {}
                }
                self.sending = Sending::Nothing;
                break;
            };
            let Ok(data) = frame.into_data() else { continue };
            self.has_begun = true;
            match self.sending {
                _ if data.is_empty() => {}
                Sending::Length(left) => {
                    let left = left.checked_sub(data.len() as u64).ok_or(BodyFault::Broken)?;
                    self.out.extend_from_slice(&data);
                    self.sending = if left == 0 { Sending::Nothing } else { Sending::Length(left) };
                }
                Sending::Chunks => {
                    self.out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                    self.out.extend_from_slice(&data);
                    self.out.extend_from_slice(b"\r\n");
                }
                Sending::Nothing => {}
            }
        }
        Ok(Poll::Ready(()))
    }

    /// The rest of the request is not wanted, and so the connection is of no further use.
    fn stop_sending(&mut self) {
        self.is_over = true;
        self.sending = Sending::Nothing;
        self.out.clear();
        self.body = RequestBody::Empty;
    }

    /// The head of the answer, if it has come as a whole. Answers that only say that another will come are passed over
    /// (RFC 9110 §15.2).
    fn read_head(&mut self) -> Result<Option<Head>, Nonsense> {
        let Receiving::Head { is_head, may_change } = self.receiving else { return Ok(None) };
        loop {
            let Some(end) = end_of_head(&self.come, self.searched) else {
                if self.come.len() > MOST_HEAD {
                    return Err(Nonsense::TooLong);
                }
                // An end may have come but for its last two bytes.
                self.searched = self.come.len().saturating_sub(3);
                return Ok(None);
            };
            let head = Head::read(&self.come[..end])?;
            self.come.advance(end);
            self.searched = 0;
            if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
                continue;
            }
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                self.is_over = true;
                self.receiving = if may_change { Receiving::Changed } else { Receiving::Nothing };
                return Ok(Some(head));
            }
            self.is_over |= !head.keeps_connection();
            self.receiving = match head.body(is_head)? {
                Body::Length(0) => Receiving::Nothing,
                body => Receiving::Body(body),
            };
            return Ok(Some(head));
        }
    }

    /// The next piece of the body of what has come.
    fn read_body(&mut self) -> Result<Option<Piece>, Nonsense> {
        let Receiving::Body(body) = &mut self.receiving else { return Ok(None) };
        match body {
            Body::Chunked(chunks) => {
                let piece = chunks.next(&mut self.come)?;
                if chunks.is_at_end() {
                    self.receiving = Receiving::Nothing;
                }
                Ok(piece)
            }
            _ if self.come.is_empty() => Ok(None),
            Body::UntilClose => Ok(Some(Piece::Data(self.come.split().freeze()))),
            Body::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(self.come.len());
                *left -= count as u64;
                if *left == 0 {
                    self.receiving = Receiving::Nothing;
                }
                Ok(Some(Piece::Data(self.come.split_to(count).freeze())))
            }
        }
    }

    /// Reads what there is; 0: the target has closed its side.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.come.is_empty() && matches!(self.receiving, Receiving::Nothing) {
            // Only looks whether something comes.
            let mut byte = [0; 1];
            let mut look = tokio::io::ReadBuf::new(&mut byte);
            ready!(tokio::io::AsyncRead::poll_read(Pin::new(&mut self.stream), cx, &mut look))?;
            return Poll::Ready(Ok(look.filled().len()));
        }
        self.come.reserve(self.room);
        let room = self.come.capacity() - self.come.len();
        let count = ready!(pin!(self.stream.read_buf(&mut self.come)).poll(cx))?;
        if count == room {
            self.room = (self.room * 2).min(MOST_ROOM);
        } else if count < self.room / 4 {
            self.room = (self.room / 2).max(LEAST_ROOM);
        }
        Poll::Ready(Ok(count))
    }
}
