//! The retry budget: retries are at most a share of the requests, so that a failing upstream is not hit harder than a
//! healthy one. A floor keeps a quiet upstream's few requests retryable.

use std::sync::atomic::{AtomicI64, Ordering};

/// What a retry costs; a request pays in `percent` of it.
const RETRY: i64 = 100;
/// Retries that are possible without any request paid in.
const FLOOR: i64 = 3;
/// No more than this is saved up, so that a long quiet time does not pay for a storm.
const CEILING: i64 = 100;

/// A budget, shared by all requests to one upstream.
#[derive(Debug)]
pub struct RetryBudget {
    percent: i64,
    balance: AtomicI64,
}

impl RetryBudget {
    /// Retries may be `percent` of the requests, and 3.
    pub fn new(percent: u32) -> Self {
        Self { percent: i64::from(percent), balance: AtomicI64::new(FLOOR * RETRY) }
    }

    /// Notes a first try.
    pub fn deposit(&self) {
        if self.balance.load(Ordering::Relaxed) < CEILING * RETRY {
            self.balance.fetch_add(self.percent, Ordering::Relaxed);
        }
    }

    /// Whether one more retry is within the budget; if so it is spent.
    pub fn withdraw(&self) -> bool {
        self.balance
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |balance| (balance >= RETRY).then(|| balance - RETRY))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_the_requests_above_a_floor() {
        let budget = RetryBudget::new(20);
        let spent = |budget: &RetryBudget| std::iter::repeat_with(|| budget.withdraw()).take_while(|ok| *ok).count();
        assert_eq!(spent(&budget), 3);
        (0..50).for_each(|_| budget.deposit());
        assert_eq!(spent(&budget), 10);
        (0..100_000).for_each(|_| budget.deposit());
        assert_eq!(spent(&budget), 100);
    }
}
