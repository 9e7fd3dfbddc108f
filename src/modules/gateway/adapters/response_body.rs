//! A response's body on its way to the client: passed on as it comes, with the connection driven from here. At its end
//! the connection goes back to the pool; when it breaks off, so does the client's connection, for a shortened body must
//! not look whole.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{connection::Link, pool::Pool, trailers::Trailers, upstream::Place};

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BrokenOff {
    #[error("the upstream broke off: {0}")]
    Upstream(hyper::Error),
    #[error("the upstream closed the connection")]
    Closed,
    #[error("nothing came for too long")]
    Idle,
    #[error("the route's time is over")]
    Deadline,
}

/// The body of a proxied response.
pub(super) struct ResponseBody {
    incoming: Incoming,
    size: BodySize,
    /// `None` once the exchange is over.
    link: Option<Link>,
    pool: Rc<Pool>,
    target: usize,
    idle_timeout: Duration,
    deadline: Option<Instant>,
    last_byte: Instant,
    /// Made when something has to be waited for.
    timer: Option<Pin<Box<Sleep>>>,
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
    pub(super) deadline: Option<std::time::Instant>,
}

impl ResponseBody {
    /// A body of this size that belongs to an exchange.
    pub(super) fn new(incoming: Incoming, size: BodySize, exchange: Exchange) -> Self {
        Self {
            incoming,
            size,
            link: Some(exchange.link),
            pool: exchange.pool,
            target: exchange.target,
            idle_timeout: exchange.idle_timeout,
            deadline: exchange.deadline.map(Instant::from_std),
            last_byte: Instant::now(),
            timer: None,
            trailers: None,
            _place: exchange.place,
        }
    }

    /// Lets trailers follow the body.
    pub(super) fn pass_trailers(&mut self, trailers: Trailers) {
        self.trailers = Some(trailers);
    }

    /// Gives the connection back when the exchange is complete; at once for a response without a body.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) {
        if let Some(link) = self.link.take() {
            self.pool.put(self.target, link, cx);
        }
    }

    /// Whether nothing more is to come.
    pub(super) fn is_at_end(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn break_off(&mut self, why: BrokenOff) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        self.link = None;
        tracing::warn!(event = "response_broken_off", reason = %why);
        Poll::Ready(Some(Err(why)))
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<BrokenOff> {
        loop {
            let idle = self.last_byte + self.idle_timeout;
            let due = self.deadline.map_or(idle, |deadline| deadline.min(idle));
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(BrokenOff::Deadline);
            }
            if self.last_byte + self.idle_timeout <= now {
                return Poll::Ready(BrokenOff::Idle);
            }
        }
    }
}

impl MessageBody for ResponseBody {
    type Error = BrokenOff;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let this = self.get_mut();
        let mut driven = false;
        let mut at_end = false;
        loop {
            match Pin::new(&mut this.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.last_byte = Instant::now();
                    match (frame.into_data(), &mut this.trailers) {
                        (Ok(bytes), None) => return Poll::Ready(Some(Ok(bytes))),
                        (Ok(bytes), Some(_)) if bytes.is_empty() => {}
                        (Ok(bytes), Some(trailers)) => return Poll::Ready(Some(Ok(trailers.piece(bytes)))),
                        (Err(frame), Some(trailers)) => trailers.take(frame),
                        // The client cannot take them (RFC 9110 §6.5.1).
                        (Err(_), None) => {}
                    }
                }
                Poll::Ready(Some(Err(error))) => return this.break_off(BrokenOff::Upstream(error)),
                Poll::Ready(None) => {
                    // The protocol still has to see that the exchange is over.
                    this.finish(cx);
                    return Poll::Ready(this.trailers.take().and_then(Trailers::end).map(Ok));
                }
                Poll::Pending if at_end => return this.break_off(BrokenOff::Closed),
                Poll::Pending if driven => break,
                Poll::Pending => {}
            }
            driven = true;
            let Some(link) = &mut this.link else { return Poll::Ready(None) };
            at_end = link.drive(cx).is_ready();
        }
        match this.poll_timer(cx) {
            Poll::Ready(why) => this.break_off(why),
            Poll::Pending => Poll::Pending,
        }
    }
}
