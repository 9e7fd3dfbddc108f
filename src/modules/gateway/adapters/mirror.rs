//! Mirrors: a copy of a request for another upstream. It is sent when the answer for the client has come, waits for nobody,
//! and its answer is dropped; nothing that becomes of it is seen by the client.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    sync::Arc,
};

use actix_web::body::{BodySize, MessageBody as _};
use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use super::{
    connection::{Link, Prepared},
    outgoing::Outgoing,
    pool::Pool,
    request_body::RequestBody,
    response_body::{Exchange, ResponseBody},
    upstream::{Place, Upstream},
};

/// A mirror, compiled.
#[derive(Debug)]
pub(super) struct Mirror {
    /// The upstream's number.
    pub(super) upstream: usize,
    pub(super) percent: u32,
    pub(super) body_limit: u64,
}

impl Mirror {
    /// Whether this request is one of those that are copied. `drawn` is a number drawn for it.
    pub(super) fn takes(&self, drawn: f64) -> bool {
        drawn * 100.0 < f64::from(self.percent)
    }
}

/// The copy of a body, made while the body is passed on.
#[derive(Debug, Default)]
pub(super) struct Copy {
    pieces: RefCell<Vec<Bytes>>,
    length: Cell<u64>,
    limit: u64,
    is_whole: Cell<bool>,
}

impl Copy {
    /// An empty copy that may become so long.
    pub(super) fn new(limit: u64) -> Rc<Self> {
        Rc::new(Self { limit, ..Self::default() })
    }

    /// Keeps a piece, which costs no copying.
    pub(super) fn keep(&self, piece: &Bytes) {
        let length = self.length.get() + piece.len() as u64;
        self.length.set(length);
        if length > self.limit {
            self.pieces.borrow_mut().clear();
            return;
        }
        self.pieces.borrow_mut().push(piece.clone());
    }

    /// The body has come to its end.
    pub(super) fn complete(&self) {
        self.is_whole.set(true);
    }

    /// The body, when it is whole and not too long.
    fn take(&self) -> Option<Bytes> {
        if !self.is_whole.get() || self.length.get() > self.limit {
            return None;
        }
        let mut whole = BytesMut::new();
        self.pieces.take().iter().for_each(|piece| whole.extend_from_slice(piece));
        Some(whole.freeze())
    }
}

/// Sends the copy of a request, if there is a place for it and its body is known to the end.
pub(super) fn send(upstream: &Arc<Upstream>, pool: &Rc<Pool>, outgoing: &Outgoing<'_>, copy: Option<&Copy>) {
    let body = match copy {
        None => RequestBody::Empty,
        Some(copy) => match copy.take() {
            Some(body) => RequestBody::whole(body),
            None => return,
        },
    };
    let Some(number) = upstream.choose(&[], None) else { return };
    let Some(mut place) = upstream.enter() else {
        upstream.metrics.rejected.increment(1);
        return;
    };
    let Some(request) = outgoing.request_with(&upstream.targets[number], body) else { return };
    place.at(number);
    let (upstream, pool) = (upstream.clone(), pool.clone());
    actix_web::rt::spawn(async move {
        let Ok(permit) = upstream.breaker.admit() else {
            upstream.metrics.rejected.increment(1);
            return;
        };
        let answered = exchange(&upstream, number, &pool, request, place).await;
        let answered = answered.is_some_and(|status| !matches!(status, 502..=504));
        upstream.judge(number, answered);
        if answered {
            upstream.metrics.success.increment(1);
            permit.succeeded();
        } else {
            upstream.metrics.error.increment(1);
            permit.failed();
        }
    });
}

/// Sends the request and reads the answer to its end, so that the connection can be used again; its status.
async fn exchange(upstream: &Upstream, number: usize, pool: &Rc<Pool>, request: Prepared, place: Place) -> Option<u16> {
    let target = &upstream.targets[number];
    let mut link = if let Some(link) = pool.take(target.number) {
        link
    } else {
        let link = timeout(upstream.connect_timeout, Link::open(&target.place())).await.ok()?.ok()?;
        pool.lend(target.number, &link);
        link
    };
    let answered = timeout(upstream.timeout, link.send(request)).await.ok()?.ok()?;
    let deadline = std::time::Instant::now() + upstream.timeout;
    let exchange = Exchange {
        link,
        pool: pool.clone(),
        target: target.number,
        place,
        idle_timeout: upstream.idle_timeout,
        deadline: Some(deadline),
    };
    let mut body = ResponseBody::new(answered.incoming, BodySize::Stream, exchange);
    while let Some(Ok(_)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {}
    Some(answered.head.status.as_u16())
}
