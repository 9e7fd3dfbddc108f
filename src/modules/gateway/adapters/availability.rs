//! Which targets are asked when not all are well: fewer and fewer until too few are left, and then all of them again, so that
//! none that was taken out is unable to come back; and one that has come back is asked more and more.

use std::time::Duration;

use super::{target::Target, upstream::Upstream};

/// A target that has just come back gets at least this part of its share.
const LEAST_SHARE: f64 = 0.1;

impl Upstream {
    /// A target for a request that was not `tried`. `key` is what a consistent hash goes by.
    pub(super) fn choose(&self, tried: &[usize], key: Option<u64>) -> Option<usize> {
        let now = self.now();
        if self.panic_percent > 0 && self.is_in_panic(now) {
            // Where there is a reserve, it is asked before those that are out.
            let available = || self.balancer.choose(&self.targets, now, tried, key);
            let well = self.balancer.has_reserve().then(available).flatten();
            return well.or_else(|| self.balancer.choose_where(&self.targets, tried, key, Target::is_present));
        }
        let chosen = self.balancer.choose(&self.targets, now, tried, key)?;
        let Some(ramp) = self.slow_start else { return Some(chosen) };
        let share = self.targets[chosen].share(now, ramp);
        if share >= 1.0 || self.chance() < share {
            return Some(chosen);
        }
        let others: Vec<usize> = tried.iter().copied().chain([chosen]).collect();
        let other = self.balancer.choose(&self.targets, now, &others, key);
        Some(other.filter(|other| self.balancer.are_peers(*other, chosen)).unwrap_or(chosen))
    }

    /// Whether so few targets are available that all get requests.
    pub(super) fn is_in_panic(&self, now: Duration) -> bool {
        let (mut all, mut available) = (0, 0);
        for target in self.targets.iter().filter(|target| target.is_present()) {
            all += 1;
            available += u32::from(target.is_available(now));
        }
        available * 100 < self.panic_percent * all
    }
}

impl Target {
    /// The part of its share that it gets at `now`: all of it, unless it came back less than `ramp` ago.
    fn share(&self, now: Duration, ramp: Duration) -> f64 {
        let Some(back) = self.back_since(now) else { return 1.0 };
        let been = now.saturating_sub(back).as_secs_f64() / ramp.as_secs_f64();
        been.clamp(LEAST_SHARE, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_target_that_came_back_is_asked_more_and_more() {
        let target = Target::parse("http://t:80", 1).unwrap();
        let ramp = Duration::from_secs(10);
        let share = |secs| target.share(Duration::from_secs(secs), ramp);
        assert!((share(5) - 1.0).abs() < 1e-9, "it was never away");
        target.ejected_until.store(100_000, Ordering::Relaxed);
        assert!((share(100) - 0.1).abs() < 1e-9 && (share(105) - 0.5).abs() < 1e-9 && (share(110) - 1.0).abs() < 1e-9);
        target.came_back(Duration::from_secs(200));
        assert!((share(205) - 0.5).abs() < 1e-9);
    }
}
