//! A cap of requests in flight that finds itself, by the gradient of latency: while answers come as quickly as the target
//! can, the cap may grow by a small queue; when they come more slowly, requests are waiting behind the target, and it
//! shrinks in the same proportion. A request without an answer in time takes a tenth off it.
//!
//! How quick the target can be is learnt from the quickest answers. It is believed to have become slower only where nothing
//! waits: while the cap is not used up, or is so small that waiting cannot explain it. Else a queue would pass for normal.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Where it begins.
pub(super) const FIRST: usize = 20;
/// It stays above this, so that there is always something to learn from.
const LEAST: f64 = 4.0;
/// It stays below this.
const MOST: f64 = 4096.0;
/// Latency may vary so much without meaning anything.
const TOLERANCE: f64 = 1.5;
/// Requests that may wait behind the target on purpose: without them the cap would never find out that more is possible.
const QUEUE: f64 = 4.0;
/// How much of a new estimate is believed at once.
const STEP: f64 = 0.2;
/// How much a quicker answer, and a slower one, moves what the target is believed to be capable of.
const QUICKER: f64 = 0.1;
const SLOWER: f64 = 0.02;
/// So few at a time do not wait for each other.
const FEW: f64 = 10.0;

/// What was learnt.
#[derive(Debug, Default)]
pub(super) struct Adaptive(Mutex<Learnt>);

#[derive(Debug, Default)]
struct Learnt {
    cap: f64,
    /// How quick the target can be, in seconds.
    quick: f64,
}

impl Adaptive {
    /// Learns from an answer. Who finds another learning does not wait.
    pub(super) fn answered(&self, took: Duration, in_flight: usize, cap: &AtomicUsize) {
        let Ok(mut learnt) = self.0.try_lock() else { return };
        cap.store(learnt.answered(took.as_secs_f64(), in_flight), Ordering::Relaxed);
    }

    /// Learns from a request without an answer in time.
    pub(super) fn timed_out(&self, cap: &AtomicUsize) {
        let Ok(mut learnt) = self.0.try_lock() else { return };
        cap.store(learnt.shrink(), Ordering::Relaxed);
    }
}

impl Learnt {
    fn begin(&mut self) {
        if self.cap == 0.0 {
            self.cap = whole(FIRST);
        }
    }

    fn answered(&mut self, took: f64, in_flight: usize) -> usize {
        self.begin();
        let took = took.max(1e-6);
        let is_used_up = whole(in_flight) >= self.cap / 2.0;
        if self.quick == 0.0 {
            self.quick = took;
        } else if took < self.quick {
            self.quick += (took - self.quick) * QUICKER;
        } else if !is_used_up || self.cap <= FEW {
            self.quick += (took - self.quick) * SLOWER;
        }
        // What is not used up says nothing about what more would do.
        if is_used_up {
            let gradient = (TOLERANCE * self.quick / took).clamp(0.5, 1.0);
            let wanted = self.cap * gradient + QUEUE;
            self.cap = (self.cap + (wanted - self.cap) * STEP).clamp(LEAST, MOST);
        }
        self.rounded()
    }

    fn shrink(&mut self) -> usize {
        self.begin();
        self.cap = (self.cap * 0.9).max(LEAST);
        self.rounded()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between LEAST and MOST")]
    fn rounded(&self) -> usize {
        self.cap.round() as usize
    }
}

#[expect(clippy::cast_precision_loss, reason = "no more requests are in flight than a float counts")]
fn whole(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the cap comes to rest before a target that works on so many at a time.
    fn settles(workers: usize) -> usize {
        let mut learnt = Learnt::default();
        // The first comes alone.
        let mut cap = learnt.answered(0.010, 1);
        for _ in 0..5_000 {
            let waves = cap.div_ceil(workers);
            cap = learnt.answered(0.010 * whole(waves), cap);
        }
        cap
    }

    #[test]
    fn it_finds_what_the_target_can_do() {
        let (small, large) = (settles(8), settles(200));
        assert!((8..=40).contains(&small), "{small}");
        assert!((150..=450).contains(&large), "{large}");
    }

    #[test]
    fn timeouts_shrink_it_to_a_floor_and_idleness_changes_nothing() {
        let mut learnt = Learnt::default();
        let (first, second) = (learnt.shrink(), learnt.shrink());
        assert_eq!((first, second), (18, 16));
        (0..100).for_each(|_| {
            learnt.shrink();
        });
        assert_eq!(learnt.rounded(), 4);
        assert_eq!(learnt.answered(0.01, 1), 4);
    }
}
