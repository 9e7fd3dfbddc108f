//! The sliding window: in any window no more than the limit pass.
//!
//! Two weighted buckets, the usual approximation, suppose that traffic was even: a burst at the end of one window and
//! another at the end of the next let nearly twice the limit through. Here the window is cut into fifteen parts, and the
//! requests of a part leave together, when the last of them is a window old: never more than the limit passes, nobody
//! waits longer than a window, and a request is held back at most a fifteenth of the window longer than it had to be.

use std::time::Duration;

/// Parts that make up one window.
const PARTS: u64 = 15;
/// The parts remembered: the window's, and the one it is moving into.
const SLOTS: usize = 16;

/// So many in such a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    count: u32,
    /// In nanoseconds.
    window: u64,
    /// One part of the window, in nanoseconds.
    part: u64,
}

impl Limit {
    /// `count` in any `window_secs` seconds.
    pub(crate) fn new(count: u32, window_secs: u64) -> Self {
        let window = window_secs.saturating_mul(1_000_000_000);
        Self { count: count.max(1), window, part: window.div_ceil(PARTS).max(1) }
    }

    /// How many.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// In how long.
    pub(crate) const fn window(&self) -> Duration {
        Duration::from_nanos(self.window)
    }

    /// One of the parts that the window is cut into.
    pub(crate) const fn part(&self) -> Duration {
        Duration::from_nanos(self.part)
    }
}

/// The requests of one part of the window.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    count: u32,
    /// When the last of them passed, in nanoseconds.
    last: u64,
}

/// What one key has let through, as far back as the window reaches. One slot a part, by part modulo [`SLOTS`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts([Slot; SLOTS]);

/// The state of a key after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Whether the request passes.
    pub(crate) passes: bool,
    /// How many more would pass now.
    pub(crate) remaining: u32,
    /// How long until more will pass than now.
    pub(crate) reset: Duration,
}

impl Counts {
    /// Counts one request if the limit allows it. `now` is monotonic time since a fixed moment.
    pub(crate) fn take(&mut self, limit: &Limit, now: Duration) -> Standing {
        let nanos = nanos(now);
        let before = self.standing(limit, nanos);
        if !before.passes {
            return before;
        }
        self.note(limit, now);
        Standing { passes: true, ..self.standing(limit, nanos) }
    }

    /// Counts one request that passes whatever the limit.
    pub(crate) fn note(&mut self, limit: &Limit, now: Duration) {
        let nanos = nanos(now);
        let part = nanos / limit.part;
        let slot = &mut self.0[usize::try_from(part % SLOTS as u64).unwrap_or_default()];
        // What a slot holds of a part that is as many parts ago as there are slots has left the window.
        if slot.last / limit.part != part {
            slot.count = 0;
        }
        slot.count += 1;
        slot.last = nanos;
    }

    /// Takes back what was counted at this very moment.
    pub(crate) fn undo(&mut self, limit: &Limit, now: Duration) {
        let part = nanos(now) / limit.part;
        let slot = &mut self.0[usize::try_from(part % SLOTS as u64).unwrap_or_default()];
        if slot.last / limit.part == part {
            slot.count = slot.count.saturating_sub(1);
        }
    }

    /// The same without counting.
    pub(crate) fn peek(&self, limit: &Limit, now: Duration) -> Standing {
        self.standing(limit, nanos(now))
    }

    fn standing(&self, limit: &Limit, now: u64) -> Standing {
        let mut total = 0;
        let mut reset = None;
        for slot in self.0.iter().filter(|slot| slot.count > 0) {
            let Some(left) = (slot.last + limit.window).checked_sub(now).filter(|left| *left > 0) else { continue };
            total += slot.count;
            reset = Some(reset.map_or(left, |reset: u64| reset.min(left)));
        }
        Standing {
            passes: total < limit.count,
            remaining: limit.count - total.min(limit.count),
            reset: Duration::from_nanos(reset.unwrap_or_default()),
        }
    }
}

fn nanos(now: Duration) -> u64 {
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exactly_the_limit_passes_in_a_fresh_window() {
        let limit = Limit::new(60, 60);
        let mut counts = Counts::default();
        let now = Duration::from_secs(1_000_000);
        for left in (0..60).rev() {
            assert_eq!(counts.take(&limit, now).remaining, left);
        }
        let refused = counts.take(&limit, now);
        assert!(!refused.passes);
        assert_eq!(refused.reset, Duration::from_mins(1));
        assert!(!counts.take(&limit, now + refused.reset.checked_sub(Duration::from_nanos(1)).unwrap()).passes);
        assert!(counts.take(&limit, now + refused.reset).passes);
    }

    #[test]
    fn a_peek_counts_nothing() {
        let limit = Limit::new(1, 1);
        let mut counts = Counts::default();
        assert!(counts.peek(&limit, Duration::ZERO).passes);
        assert!(counts.take(&limit, Duration::ZERO).passes);
        assert!(!counts.peek(&limit, Duration::ZERO).passes);
    }

    #[test]
    fn what_is_undone_was_never_counted() {
        let limit = Limit::new(1, 1);
        let mut counts = Counts::default();
        assert!(counts.take(&limit, Duration::ZERO).passes);
        counts.undo(&limit, Duration::ZERO);
        assert!(counts.take(&limit, Duration::ZERO).passes);
        assert!(!counts.take(&limit, Duration::ZERO).passes);
    }

    proptest! {
        /// However requests are spread, no window of the limit's length lets more than the limit through.
        #[test]
        fn no_window_lets_more_through(count in 1u32..20, gaps in proptest::collection::vec(0u64..400, 1..400)) {
            let limit = Limit::new(count, 1);
            let mut counts = Counts::default();
            let mut now = Duration::ZERO;
            let mut passed = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap / 4);
                if counts.take(&limit, now).passes {
                    passed.push(now);
                }
            }
            for from in &passed {
                let within = passed.iter().filter(|at| *at >= from && **at < *from + Duration::from_secs(1)).count();
                prop_assert!(within <= count as usize);
            }
        }
    }
}
