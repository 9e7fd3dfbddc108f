//! The sliding window: in any window no more than the limit pass.
//!
//! Two weighted buckets, the usual approximation, suppose that traffic was even: a burst at the end of one window and
//! another at the end of the next let nearly twice the limit through. Here the window is cut into fifteen parts, and the
//! oldest, which is partly outside, counts in full: never more than the limit passes, and a request is held back at most a
//! fifteenth of the window longer than it had to be.

use std::time::Duration;

/// Parts that make up one window.
const PARTS: u64 = 15;
/// The parts remembered: the window's, and the one it is moving into.
const SLOTS: usize = 16;

/// So many in such a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    count: u32,
    /// One part of the window, in nanoseconds.
    part: u64,
}

impl Limit {
    /// `count` in any `window_secs` seconds.
    pub(crate) fn new(count: u32, window_secs: u64) -> Self {
        let nanos = window_secs.saturating_mul(1_000_000_000);
        Self { count: count.max(1), part: nanos.div_ceil(PARTS).max(1) }
    }

    /// How many.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    fn part_of(&self, now: Duration) -> u64 {
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX) / self.part
    }
}

/// What one key has let through, as far back as the window reaches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// The part of time that the newest slot stands for.
    newest: u64,
    /// One slot a part of the window, by part modulo [`SLOTS`].
    slots: [u32; SLOTS],
    total: u32,
}

/// The state of a key after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        self.advance(limit.part_of(now));
        let passes = self.total < limit.count;
        if passes {
            self.slots[slot(self.newest)] += 1;
            self.total += 1;
        }
        self.standing(limit, now, passes)
    }

    /// The same without counting.
    pub(crate) fn peek(&mut self, limit: &Limit, now: Duration) -> Standing {
        self.advance(limit.part_of(now));
        self.standing(limit, now, self.total < limit.count)
    }

    /// Forgets what has left the window.
    fn advance(&mut self, part: u64) {
        if part <= self.newest {
            return;
        }
        if part - self.newest >= SLOTS as u64 {
            self.slots = [0; SLOTS];
            self.total = 0;
        } else {
            for passed in self.newest + 1..=part {
                self.total -= std::mem::take(&mut self.slots[slot(passed)]);
            }
        }
        self.newest = part;
    }

    fn standing(&self, limit: &Limit, now: Duration, passes: bool) -> Standing {
        let oldest = (self.newest + 1).saturating_sub(SLOTS as u64);
        let first_counted = (oldest..=self.newest).find(|part| self.slots[slot(*part)] > 0);
        let reset = first_counted.map_or(Duration::ZERO, |part| {
            Duration::from_nanos((part + SLOTS as u64).saturating_mul(limit.part)).saturating_sub(now)
        });
        Standing { passes, remaining: limit.count - self.total.min(limit.count), reset }
    }
}

fn slot(part: u64) -> usize {
    usize::try_from(part % SLOTS as u64).unwrap_or_default()
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
        assert!(refused.reset >= Duration::from_mins(1) && refused.reset <= Duration::from_secs(64));
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
