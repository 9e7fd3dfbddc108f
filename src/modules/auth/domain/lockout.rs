//! How many failed attempts are too many, and for how long nobody tries again.

use chrono::{DateTime, TimeDelta, Utc};

/// The rule of one kind of counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LockoutRule {
    /// Failures in the window that lock.
    pub(crate) failures: u32,
    /// The window; it slides.
    pub(crate) window: TimeDelta,
    /// How long it stays locked.
    pub(crate) cooldown: TimeDelta,
}

impl LockoutRule {
    /// The same, for something that may fail so many times as often.
    pub(crate) fn wider(self, factor: u32) -> Self {
        Self { failures: self.failures.saturating_mul(factor), ..self }
    }
}

/// What is known of one account, or of one client address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    /// When attempts failed, oldest first.
    pub(crate) at: Vec<DateTime<Utc>>,
    pub(crate) locked_until: Option<DateTime<Utc>>,
}

impl Failures {
    /// How long an attempt at `now` has to wait. Never longer than a whole cooldown, even when the clock was set back.
    pub(crate) fn wait(&self, rule: LockoutRule, now: DateTime<Utc>) -> Option<TimeDelta> {
        let left = self.locked_until? - now;
        (left > TimeDelta::zero()).then_some(left.min(rule.cooldown))
    }

    /// Counts one failure; the one that reaches the limit locks. In a cooldown nothing is counted, and nothing extended.
    pub(crate) fn note(&mut self, rule: LockoutRule, now: DateTime<Utc>) {
        if self.wait(rule, now).is_some() {
            return;
        }
        self.locked_until = None;
        self.at.retain(|at| *at <= now && now - *at < rule.window);
        self.at.push(now);
        if self.at.len() >= rule.failures as usize {
            self.at.clear();
            self.locked_until = Some(now + rule.cooldown);
        }
    }

    /// When it says nothing any more.
    pub(crate) fn expires_at(&self, rule: LockoutRule) -> Option<DateTime<Utc>> {
        self.locked_until.max(self.at.last().map(|at| *at + rule.window))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: LockoutRule =
        LockoutRule { failures: 3, window: TimeDelta::seconds(60), cooldown: TimeDelta::seconds(100) };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn the_failure_that_reaches_the_limit_locks_and_the_cooldown_is_not_extended() {
        let mut failures = Failures::default();
        for second in [0, 10] {
            failures.note(RULE, at(second));
            assert_eq!(failures.wait(RULE, at(second)), None);
        }
        failures.note(RULE, at(20));
        assert_eq!(failures.wait(RULE, at(20)), Some(TimeDelta::seconds(100)));
        failures.note(RULE, at(60));
        assert_eq!(failures.wait(RULE, at(60)), Some(TimeDelta::seconds(60)), "not extended");
        assert_eq!(failures.expires_at(RULE), Some(at(120)));
        assert_eq!(failures.wait(RULE, at(120)), None);
        failures.note(RULE, at(120));
        assert_eq!((failures.wait(RULE, at(120)), failures.expires_at(RULE)), (None, Some(at(180))), "it begins anew");
    }

    #[test]
    fn failures_leave_the_window_one_by_one() {
        let mut failures = Failures::default();
        for second in [0, 30, 60, 90, 120] {
            failures.note(RULE, at(second));
            assert_eq!(failures.wait(RULE, at(second)), None, "two in any minute");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out_for_longer() {
        let mut failures = Failures::default();
        (0..3).for_each(|second| failures.note(RULE, at(10_000 + second)));
        assert_eq!(failures.wait(RULE, at(0)), Some(TimeDelta::seconds(100)));
    }

    proptest! {
        #[test]
        fn in_any_window_no_more_than_the_limit_are_looked_at(steps in prop::collection::vec(0i64..40, 1..60)) {
            let (mut failures, mut now, mut looked_at) = (Failures::default(), 0, Vec::new());
            for step in steps {
                now += step;
                if failures.wait(RULE, at(now)).is_none() {
                    failures.note(RULE, at(now));
                    looked_at.push(now);
                }
            }
            for last in &looked_at {
                let window = looked_at.iter().filter(|first| **first <= *last && last - **first < 60);
                prop_assert!(window.count() <= 3);
            }
        }
    }
}
