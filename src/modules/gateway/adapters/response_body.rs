//! A response's body on its way to the client: passed on as it comes, with the connection driven from here. At its end
//! the connection goes back to the pool; when it breaks off, so does the client's connection, for a shortened body must
//! not look whole.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use hyper::body::{Body as _, Incoming};

use super::{
    connection::{ExchangeFailed, Link, Piece, poll_piece},
    pool::Pool,
    trailers::Trailers,
    upstream::Place,
};

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BrokenOff {
    #[error("the upstream broke off: {0}")]
    Upstream(ExchangeFailed),
    #[error("nothing came for too long")]
    Idle,
    #[error("the route's time is over")]
    Deadline,
}

/// The body of a proxied response.
pub(super) struct ResponseBody {
    /// With HTTP/2; with HTTP/1.1 the body comes on the link.
    incoming: Option<Incoming>,
    size: BodySize,
    /// `None` once the exchange is over.
    link: Option<Link>,
    pool: Rc<Pool>,
    target: usize,
    idle_timeout: Duration,
    deadline: Option<Instant>,
    /// Since when something is waited for; `None`: the last that was asked for came at once.
    waiting_since: Option<Instant>,
    /// What follows it, where the client takes that.
    trailers: Option<Trailers>,
    /// Held to the end: the request is in flight until its answer is through.
    _place: Place,
}

/// What a response body needs beside its bytes.
pub(super) struct Exchange {
    pub(super) link: Link,
    pub(super) pool: Rc<Pool>,
    /// The target's place in the pool.
    pub(super) target: usize,
    pub(super) place: Place,
    pub(super) idle_timeout: Duration,
    pub(super) deadline: Option<Instant>,
}

impl ResponseBody {
    /// A body of this size that belongs to an exchange.
    pub(super) fn new(incoming: Option<Incoming>, size: BodySize, exchange: Exchange) -> Self {
        Self {
            incoming,
            size,
            link: Some(exchange.link),
            pool: exchange.pool,
            target: exchange.target,
            idle_timeout: exchange.idle_timeout,
            deadline: exchange.deadline,
            waiting_since: None,
            trailers: None,
            _place: exchange.place,
        }
    }

    /// Lets trailers follow the body.
    pub(super) fn pass_trailers(&mut self, trailers: Trailers) {
        self.trailers = Some(trailers);
    }

    /// Gives the connection back when the exchange is complete; at once for a response without a body.
    pub(super) fn finish(&mut self) {
        if let Some(link) = self.link.take() {
            self.pool.put(self.target, link);
        }
    }

    /// Whether nothing more is to come.
    pub(super) fn is_at_end(&self) -> bool {
        match (&self.incoming, &self.link) {
            (Some(incoming), _) => incoming.is_end_stream(),
            (None, Some(link)) => link.body_length() == Some(0),
            (None, None) => true,
        }
    }

    /// The next of what the target sends.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, ExchangeFailed>>> {
        match (&mut self.incoming, &mut self.link) {
            (_, None) => Poll::Ready(None),
            (Some(incoming), Some(_)) => poll_piece(incoming, cx),
            (None, Some(link)) => link.poll_body(cx),
        }
    }

    fn break_off(&mut self, why: BrokenOff) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        self.link = None;
        tracing::warn!(event = "response_broken_off", reason = %why);
        Poll::Ready(Some(Err(why)))
    }

    /// Ready when nothing came for too long, or the route's time is over.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<BrokenOff> {
        let Some(link) = &mut self.link else { return Poll::Pending };
        let idle = *self.waiting_since.get_or_insert_with(Instant::now) + self.idle_timeout;
        let (due, why) = match self.deadline {
            Some(deadline) if deadline <= idle => (deadline, BrokenOff::Deadline),
            _ => (idle, BrokenOff::Idle),
        };
        link.alarm.poll(due, cx).map(|()| why)
    }
}

impl MessageBody for ResponseBody {
    type Error = BrokenOff;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let this = self.get_mut();
        while let Poll::Ready(next) = this.poll_piece(cx) {
            this.waiting_since = None;
            match (next, &mut this.trailers) {
                (Some(Ok(Piece::Data(bytes))), None) => return Poll::Ready(Some(Ok(bytes))),
                (Some(Ok(Piece::Data(bytes))), Some(_)) if bytes.is_empty() => {}
                (Some(Ok(Piece::Data(bytes))), Some(own)) => return Poll::Ready(Some(Ok(own.piece(bytes)))),
                (Some(Ok(Piece::Trailers(trailers))), Some(own)) => own.take(trailers),
                // The client cannot take them (RFC 9110 §6.5.1).
                (Some(Ok(Piece::Trailers(_))), None) => {}
                (Some(Err(failed)), _) => return this.break_off(BrokenOff::Upstream(failed)),
                (None, _) => {
                    this.finish();

                    return Poll::Ready(this.trailers.take().and_then(Trailers::end).map(Ok));
                }
            }
        }
        match this.poll_alarm(cx) {
            Poll::Ready(why) => this.break_off(why),
            Poll::Pending => Poll::Pending,
        }
    }
}
