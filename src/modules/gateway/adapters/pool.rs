//! Idle connections of one worker thread, the latest used on top, so that what is not needed grows old and goes.

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::connection::Link;

/// An idle connection is closed after so long.
const IDLE_TIME: Duration = Duration::from_mins(1);
/// No more idle connections to one target in one thread.
const MOST_IDLE: usize = 256;
/// Between two looks for connections that grew old or were closed by their targets.
const SWEEP: Duration = Duration::from_secs(5);

/// The idle connections of this thread, by target.
pub(super) struct Pool {
    idle: RefCell<Vec<Vec<Link>>>,
}

impl Pool {
    /// A pool for so many targets, swept from now on as long as it is in use.
    pub(super) fn new(targets: usize) -> Rc<Self> {
        let pool = Rc::new(Self { idle: RefCell::new(std::iter::repeat_with(Vec::new).take(targets).collect()) });
        actix_web::rt::spawn(sweep(Rc::downgrade(&pool)));
        pool
    }

    /// The latest used connection that still stands.
    pub(super) async fn take(&self, target: usize) -> Option<Link> {
        loop {
            let mut link = self.idle.borrow_mut().get_mut(target)?.pop()?;
            let usable = poll_fn(|cx| Poll::Ready(link.is_usable(cx))).await;
            if usable {
                self.lend(target, &link);
                link.reused = true;
                return Some(link);
            }
        }
    }

    /// Leaves a share of the connection for others, where it takes many requests at a time.
    pub(super) fn lend(&self, target: usize, link: &Link) {
        if let Some(share) = link.share()
            && let Some(idle) = self.idle.borrow_mut().get_mut(target)
        {
            idle.push(share);
        }
    }

    /// Keeps a connection whose last exchange is complete.
    pub(super) fn put(&self, target: usize, mut link: Link, cx: &mut Context<'_>) {
        // A shared one was left for others when it was taken.
        if link.is_shared() || !link.is_usable(cx) {
            return;
        }
        link.idle_since = Instant::now();
        if let Some(idle) = self.idle.borrow_mut().get_mut(target).filter(|idle| idle.len() < MOST_IDLE) {
            idle.push(link);
        }
    }
}

async fn sweep(pool: Weak<Pool>) {
    loop {
        actix_web::rt::time::sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut cx = Context::from_waker(Waker::noop());
        for idle in pool.idle.borrow_mut().iter_mut() {
            idle.retain_mut(|link| link.idle_since.elapsed() < IDLE_TIME && link.is_usable(&mut cx));
        }
    }
}
