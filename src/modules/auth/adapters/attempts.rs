//! Counts failed logins in memory, by account and, ten times wider, by client address. Bounded: what is seldom asked for
//! is forgotten first.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use moka::sync::Cache;

use crate::{
    kernel::Clock,
    modules::auth::{
        application::{AttemptLimiter, Held},
        config::LockoutConfig,
    },
};

/// How many accounts and addresses are remembered.
const CAPACITY: u64 = 100_000;
/// A client address may fail this many times as often as an account: many people can share one.
const CLIENT_FACTOR: u32 = 10;

/// What is known of one account or address.
#[derive(Debug, Default)]
struct Record {
    failures: Vec<Instant>,
    locked_until: Option<Instant>,
}

/// The limiter.
pub(crate) struct MemoryAttempts {
    config: LockoutConfig,
    clock: Arc<dyn Clock>,
    records: Cache<String, Arc<Mutex<Record>>>,
}

impl MemoryAttempts {
    /// An empty one.
    pub(crate) fn new(config: &LockoutConfig, clock: Arc<dyn Clock>) -> Self {
        let idle = config.window.get() + config.cooldown.get();
        let records = Cache::builder().max_capacity(CAPACITY).time_to_idle(idle.max(Duration::from_secs(1))).build();
        Self { config: config.clone(), clock, records }
    }

    fn keys(&self, account: &str, client: IpAddr) -> [(String, u32); 2] {
        let failures = self.config.failures;
        [
            (format!("account:{account}"), failures),
            (format!("client:{}", network_of(client)), failures.saturating_mul(CLIENT_FACTOR)),
        ]
    }

    fn wait(&self, account: &str, client: IpAddr) -> Option<Duration> {
        let now = self.clock.monotonic();
        let waits = self.keys(account, client).into_iter().filter_map(|(key, _)| {
            let record = self.records.get(&key)?;
            Self::locked_for(&lock(&record), now)
        });
        waits.max()
    }

    fn locked_for(record: &Record, now: Instant) -> Option<Duration> {
        record.locked_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Counts one failure; the one that reaches the limit locks.
    fn fail(&self, record: &mut Record, limit: u32, now: Instant) {
        let window = self.config.window.get();
        record.failures.retain(|at| now.saturating_duration_since(*at) < window);
        record.failures.push(now);
        if record.failures.len() >= limit as usize {
            record.failures.clear();
            record.locked_until = Some(now + self.config.cooldown.get());
        }
    }
}

#[async_trait]
impl AttemptLimiter for MemoryAttempts {
    async fn check(&self, account: &str, client: IpAddr) -> Result<(), Held> {
        self.wait(account, client).map_or(Ok(()), |wait| Err(Held::For(wait)))
    }

    async fn settle(&self, account: &str, client: IpAddr, right: bool) -> Result<(), Held> {
        // Decided while the attempt ran: its outcome must not show.
        if let Some(wait) = self.wait(account, client) {
            return Err(Held::For(wait));
        }
        let now = self.clock.monotonic();
        let [of_account, of_client] = self.keys(account, client);
        if right {
            self.records.invalidate(&of_account.0);
            return Ok(());
        }
        let waits = [of_account, of_client].into_iter().filter_map(|(key, limit)| {
            let record = self.records.get_with(key, Arc::default);
            let mut record = lock(&record);
            if Self::locked_for(&record, now).is_none() {
                self.fail(&mut record, limit, now);
            }
            Self::locked_for(&record, now)
        });
        waits.collect::<Vec<_>>().into_iter().max().map_or(Ok(()), |wait| Err(Held::For(wait)))
    }
}

fn lock(record: &Mutex<Record>) -> std::sync::MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An IPv6 client has at least a /64 to itself, and would count as many without this.
fn network_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::kernel::{ManualClock, units::Span};

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn limiter() -> (MemoryAttempts, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
        let config = LockoutConfig { failures: 3, window: Span::secs(60), cooldown: Span::secs(100) };
        (MemoryAttempts::new(&config, clock.clone()), clock)
    }

    #[tokio::test]
    async fn the_failure_that_reaches_the_limit_locks_and_the_cooldown_is_not_extended() {
        let (limiter, clock) = limiter();
        assert_eq!(limiter.settle("a", HOME, false).await, Ok(()));
        assert_eq!(limiter.settle("a", HOME, false).await, Ok(()));
        assert_eq!(limiter.settle("a", HOME, false).await, Err(Held::For(Duration::from_secs(100))));
        clock.advance(Duration::from_secs(40));
        assert_eq!(limiter.check("a", HOME).await, Err(Held::For(Duration::from_mins(1))));
        assert_eq!(
            limiter.settle("a", HOME, true).await,
            Err(Held::For(Duration::from_mins(1))),
            "right, and no less refused"
        );
        assert_eq!(limiter.settle("a", HOME, false).await, Err(Held::For(Duration::from_mins(1))));
        assert_eq!(limiter.check("b", HOME).await, Ok(()), "another account is not touched");
        clock.advance(Duration::from_mins(1));
        assert_eq!(limiter.check("a", HOME).await, Ok(()));
        assert_eq!(limiter.settle("a", HOME, false).await, Ok(()), "counting begins anew");
    }

    #[tokio::test]
    async fn failures_leave_the_window_and_a_success_clears_its_account_alone() {
        let (limiter, clock) = limiter();
        for _ in 0..2 {
            assert_eq!(limiter.settle("a", HOME, false).await, Ok(()));
            assert_eq!(limiter.settle("b", HOME, false).await, Ok(()));
        }
        assert_eq!(limiter.settle("a", HOME, true).await, Ok(()));
        assert_eq!(limiter.settle("a", HOME, false).await, Ok(()));
        assert!(limiter.settle("b", HOME, false).await.is_err());
        clock.advance(Duration::from_mins(1));
        assert_eq!(limiter.settle("a", HOME, false).await, Ok(()));
        assert_eq!(limiter.settle("a", HOME, false).await, Ok(()));
        assert!(limiter.settle("a", HOME, false).await.is_err());
    }

    #[tokio::test]
    async fn one_address_may_fail_ten_times_as_often() {
        let (limiter, _) = limiter();
        for number in 0..29 {
            assert_eq!(limiter.settle(&number.to_string(), HOME, false).await, Ok(()), "{number}");
        }
        assert!(limiter.settle("29", HOME, false).await.is_err());
        assert!(limiter.check("fresh", HOME).await.is_err());
        assert_eq!(limiter.check("fresh", "10.0.0.1".parse().unwrap()).await, Ok(()));
        assert_eq!(network_of("2001:db8::1:2:3:4".parse().unwrap()), network_of("2001:db8::ffff".parse().unwrap()));
    }
}
