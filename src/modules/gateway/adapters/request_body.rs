//! A request's body on its way to a target: passed on as it comes, counted against its limit, and watched, so that it is
//! known who keeps whom waiting.

use std::{
    cell::Cell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use actix_web::dev::Payload;
use bytes::Bytes;
use futures_util::Stream as _;
use hyper::body::{Body, Frame, SizeHint};

use super::mirror::Copy;

/// Who is waited for while a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The client, for the next piece of the body.
    Client,
    /// The target, to take what it was sent.
    Target,
    /// The whole body was handed on; the target, for its answer.
    Answer,
}

/// Why a body could not be passed on to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyFault {
    /// It is longer than the route allows.
    #[error("the body is longer than allowed")]
    TooLarge,
    /// The client broke off, or sent what is not its announced coding.
    #[error("the body broke off")]
    Broken,
}

/// How far a body has got; shared with whoever waits for the answer.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) waiting: Cell<Waiting>,
    /// Since when.
    pub(super) since: Cell<Instant>,
    pub(super) fault: Cell<Option<BodyFault>>,
}

impl Progress {
    fn note(&self, waiting: Waiting) {
        if self.waiting.get() != waiting || waiting == Waiting::Target {
            self.waiting.set(waiting);
            self.since.set(Instant::now());
        }
    }
}

/// A body that is passed on.
pub(super) enum RequestBody {
    /// None.
    Empty,
    /// A client's.
    Client(Box<ClientBody>),
    /// One that is here already.
    Whole(Bytes),
}

/// The client's body.
pub(super) struct ClientBody {
    payload: Payload,
    /// The announced length; `None`: chunked.
    length: Option<u64>,
    passed: u64,
    limit: u64,
    progress: Rc<Progress>,
    /// For a mirror.
    copy: Option<Rc<Copy>>,
}

impl RequestBody {
    /// A body that is here already.
    pub(super) fn whole(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Whole(bytes) }
    }

    /// A body of the announced length, or chunked, that may be `limit` bytes long.
    /// What passes is kept in `copy` too.
    pub(super) fn client(
        payload: Payload,
        length: Option<u64>,
        limit: u64,
        copy: Option<Rc<Copy>>,
    ) -> (Self, Rc<Progress>) {
        let progress = Rc::new(Progress {
            waiting: Cell::new(Waiting::Client),
            since: Cell::new(Instant::now()),
            fault: Cell::new(None),
        });
        let body = ClientBody { payload, length, passed: 0, limit, progress: progress.clone(), copy };
        (Self::Client(Box::new(body)), progress)
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Client(_) => "Client",
            Self::Whole(_) => "Whole",
        })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Client(body) => body.poll(cx),
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(body) => body.length == Some(body.passed),
            Self::Whole(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(body) => body.length.map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

impl ClientBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match Pin::new(&mut self.payload).poll_next(cx) {
            Poll::Pending => {
                self.progress.note(Waiting::Client);
                Poll::Pending
            }
            Poll::Ready(None) => {
                self.progress.note(Waiting::Answer);
                if let Some(copy) = &self.copy {
                    copy.complete();
                }
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(_))) => self.fail(BodyFault::Broken),
            Poll::Ready(Some(Ok(bytes))) => {
                self.passed += bytes.len() as u64;
                if self.passed > self.limit {
                    return self.fail(BodyFault::TooLarge);
                }
                let all = self.length == Some(self.passed);
                if let Some(copy) = &self.copy {
                    copy.keep(&bytes);
                    if all {
                        copy.complete();
                    }
                }
                self.progress.note(if all { Waiting::Answer } else { Waiting::Target });
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn fail(&mut self, fault: BodyFault) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        self.progress.fault.set(Some(fault));
        Poll::Ready(Some(Err(fault)))
    }
}
