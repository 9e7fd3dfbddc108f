//! Idle connections of one worker thread, the latest used on top, so that what is not needed grows old and goes.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{connection::Link, live::Live};

/// An idle connection is closed after so long.
const IDLE_TIME: Duration = Duration::from_mins(1);
/// No more idle connections to one target in one thread.
const MOST_IDLE: usize = 256;
/// Between two looks for connections that grew old or were closed by their targets.
const SWEEP: Duration = Duration::from_secs(5);

/// The idle connections of this thread, by target.
pub(super) struct Pool {
    idle: RefCell<HashMap<usize, Vec<Link>, BuildHasherDefault<Spread>>>,
    live: Arc<Live>,
}

impl Pool {
    /// An empty pool, swept from now on as long as it is in use.
    pub(super) fn new(live: Arc<Live>) -> Rc<Self> {
        let pool = Rc::new(Self { idle: RefCell::default(), live });
        actix_web::rt::spawn(sweep(Rc::downgrade(&pool)));
        pool
    }

    /// The latest used connection that still stands.
    pub(super) fn take(&self, target: usize) -> Option<Link> {
        loop {
            let mut link = self.idle.borrow_mut().get_mut(&target)?.pop()?;
            if link.is_usable() {
                self.lend(target, &link);
                link.reused = true;
                return Some(link);
            }
        }
    }

    /// Leaves a share of the connection for others, where it takes many requests at a time.
    pub(super) fn lend(&self, target: usize, link: &Link) {
        if let Some(share) = link.share() {
            self.idle.borrow_mut().entry(target).or_default().push(share);
        }
    }

    /// Keeps a connection whose last exchange is complete.
    pub(super) fn put(&self, target: usize, mut link: Link) {
        // A shared one was left for others when it was taken.
        if link.is_shared() || !link.is_usable() {
            return;
        }
        link.idle_since = Instant::now();
        let mut idle = self.idle.borrow_mut();
        let idle = idle.entry(target).or_default();
        if idle.len() < MOST_IDLE {
            idle.push(link);
        }
    }
}

async fn sweep(pool: Weak<Pool>) {
    loop {
        actix_web::rt::time::sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        let current = pool.live.current();
        let targets: HashSet<usize> =
            current.upstreams.iter().flat_map(|upstream| &upstream.targets).map(|target| target.number).collect();
        pool.idle.borrow_mut().retain(|target, idle| {
            idle.retain_mut(|link| {
                let idle_for = link.idle_since.elapsed();
                // One that nobody needed since the last look keeps no more room than a new one.
                if idle_for >= SWEEP {
                    link.rest();
                }
                idle_for < IDLE_TIME && link.is_usable()
            });
            // A request that began under an earlier configuration may bring one more; the next look closes that.
            targets.contains(target)
        });
    }
}

/// Spreads the targets' numbers, which nobody outside chooses.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = (self.0 ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
