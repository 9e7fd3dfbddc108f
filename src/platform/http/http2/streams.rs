//! The requests of a connection, counted: whether there are any, and whether they are there to be answered.

use std::{cell::Cell, future::Future, rc::Rc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// The requests of a connection.
pub(super) struct Streams {
    open: Cell<u32>,
    were_any: Cell<bool>,
    /// Since when there are none.
    idle_since: Cell<Instant>,
    /// Requests that the client broke off before they were answered, less those that were answered.
    resets: Cell<u32>,
    max_resets: u32,
    flooded: Notify,
}

/// One of them. Dropping it is its end.
pub(super) struct Stream {
    streams: Rc<Streams>,
    is_answered: bool,
}

impl Streams {
    pub(super) fn new(max_resets: u32) -> Self {
        Self {
            open: Cell::new(0),
            were_any: Cell::new(false),
            idle_since: Cell::new(Instant::now()),
            resets: Cell::new(0),
            max_resets,
            flooded: Notify::new(),
        }
    }

    /// Counts a request.
    pub(super) fn begin(self: &Rc<Self>) -> Stream {
        self.open.set(self.open.get() + 1);
        self.were_any.set(true);
        Stream { streams: self.clone(), is_answered: false }
    }

    /// Whether there has been a request.
    pub(super) fn were_any(&self) -> bool {
        self.were_any.get()
    }

    /// Waits until too many requests were broken off.
    pub(super) async fn flooded(&self) {
        self.flooded.notified().await;
    }

    /// Waits until there has been no request for so long, from now on.
    pub(super) fn idle(self: &Rc<Self>, limit: Duration) -> impl Future<Output = ()> + use<> {
        let streams = self.clone();
        streams.idle_since.set(Instant::now());
        async move {
            loop {
                let now = Instant::now();
                let since = if streams.open.get() > 0 { now } else { streams.idle_since.get() };
                if since + limit <= now {
                    return;
                }
                sleep_until(since + limit).await;
            }
        }
    }
}

impl Stream {
    /// Notes that the head of its answer is there.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
        let resets = &self.streams.resets;
        resets.set(resets.get().saturating_sub(1));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let streams = &self.streams;
        streams.open.set(streams.open.get().saturating_sub(1));
        streams.idle_since.set(Instant::now());
        if self.is_answered {
            return;
        }
        streams.resets.set(streams.resets.get() + 1);
        if streams.resets.get() > streams.max_resets {
            streams.flooded.notify_one();
        }
    }
}
