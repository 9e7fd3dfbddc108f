//! The limiter of this process: counts by key, in bounded memory.
//!
//! Each shard keeps two generations of keys. When the young one is full the old one is dropped and the young one grows
//! old; a key that is asked for moves to the young one. So what is forgotten is what was not asked for longest, memory
//! has a bound, and nothing has to be swept.

use std::{
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::http::header::{HeaderName, HeaderValue};
use governor::{
    Quota, RateLimiter,
    clock::Clock as _,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};

use super::balance::hash_bytes;
use crate::{
    kernel::{
        Clock, UserId,
        error::ValueFault,
        units::{Rate, Window},
    },
    modules::gateway::{
        config::RateLimitConfig,
        domain::window::{Counts, Limit, Standing},
    },
};

const SHARDS: usize = 64;

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Per {
    /// The user when known, else the address.
    Client,
    Ip,
    User,
    ApiKey,
    Route,
    Header(HeaderName),
}

impl Per {
    /// Reads `per`.
    pub(super) fn parse(text: &str) -> Result<Self, ValueFault> {
        match text {
            "client" => return Ok(Self::Client),
            "ip" => return Ok(Self::Ip),
            "user" => return Ok(Self::User),
            "api_key" => return Ok(Self::ApiKey),
            "route" => return Ok(Self::Route),
            _ => {}
        }
        let name = text.strip_prefix("header:").and_then(|name| HeaderName::try_from(name).ok());
        name.map(Self::Header).ok_or_else(|| {
            let expected = "expected client, ip, user, api_key, route or header:NAME";
            ValueFault::new("invalid-per", format!("{expected}, found {text:?}"))
        })
    }
}

/// One limit, compiled. Routes without one of their own share the gateway's, and its counts.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) per: Per,
    id: u64,
    limit: Limit,
    pace: Option<Quota>,
    /// `RateLimit-Policy`, which is the same in every answer.
    pub(super) header: HeaderValue,
    pub(super) allowed: metrics::Counter,
    pub(super) limited: metrics::Counter,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .field("per", &self.per)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Policy {
    /// Compiles a limit. `name` is a route's, of plain characters; `id` tells policies apart.
    pub(super) fn compile(id: u64, name: &str, config: &RateLimitConfig) -> Result<Self, ValueFault> {
        let window_secs = config.limit.window.secs();
        let limit = Limit::new(config.limit.count, window_secs);
        let header = format!("\"{name}\";q={};w={window_secs}", limit.count());
        let decision = |decision: &'static str| metrics::counter!("rate_limit_decisions_total", "policy" => name.to_owned(), "decision" => decision);
        let (allowed, limited) = (decision("allowed"), decision("limited"));
        allowed.absolute(0);
        limited.absolute(0);
        Ok(Self {
            name: name.to_owned(),
            per: Per::parse(&config.per)?,
            id,
            limit,
            pace: config.pace.and_then(quota),
            header: HeaderValue::from_str(&header).map_err(|_| ValueFault::new("invalid-name", "not a plain name"))?,
            allowed,
            limited,
        })
    }

    /// `RateLimit` for a standing.
    pub(super) fn state_header(&self, standing: &Standing) -> Option<HeaderValue> {
        let text = format!("\"{}\";r={};t={}", self.name, standing.remaining, whole_seconds(standing.reset));
        HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()
    }
}

/// What tells a policy from others: whose it is and what it says, so that its counts go on when it is loaded again.
pub(super) fn policy_id(owner: &str, config: &RateLimitConfig) -> u64 {
    let said = format!("{}\n{:?}\n{:?}", config.per, config.limit, config.pace);
    hash_bytes(format!("{owner}\n{said}").as_bytes())
}

/// Seconds, rounded up.
pub(super) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

fn quota(rate: Rate) -> Option<Quota> {
    let count = std::num::NonZeroU32::new(rate.count)?;
    let window = match rate.window {
        Window::Second => 1,
        other => other.secs(),
    };
    Quota::with_period(Duration::from_secs(window) / rate.count).map(|quota| quota.allow_burst(count))
}

/// Whose count a request goes to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    Ip(IpAddr),
    User(UserId),
    Text(&'a [u8]),
    Everybody,
}

/// What the limiter says of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decision {
    pub(super) standing: Standing,
    /// Not the window but the pace is exceeded, for so long.
    pub(super) paced: Option<Duration>,
}

impl Decision {
    /// Whether the request passes.
    pub(super) fn passes(&self) -> bool {
        self.standing.passes && self.paced.is_none()
    }

    /// When a refused request is worth another try.
    pub(super) fn retry_after(&self) -> Duration {
        self.paced.unwrap_or(self.standing.reset)
    }
}

/// The counts of this process.
pub(super) struct Limiter {
    ticks: Ticks,
    hasher: RandomState,
    shards: Vec<Mutex<Generations>>,
    /// The most keys in one generation of one shard.
    generation: AtomicUsize,
}

type Pacer = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

#[derive(Default)]
struct Entry {
    counts: Counts,
    pacer: Option<Box<Pacer>>,
}

type Keys = HashMap<u64, Entry, BuildHasherDefault<Hashed>>;

#[derive(Default)]
struct Generations {
    young: Keys,
    old: Keys,
}

impl Limiter {
    /// A limiter that remembers at most `keys` keys.
    pub(super) fn new(keys: usize, clock: Arc<dyn Clock>) -> Self {
        let ticks = Ticks { started: clock.monotonic(), clock };
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { ticks, hasher: RandomState::new(), shards, generation: AtomicUsize::new(generation(keys)) }
    }

    /// Remembers at most `keys` keys from now on.
    pub(super) fn remember(&self, keys: usize) {
        self.generation.store(generation(keys), Ordering::Relaxed);
    }

    /// Counts a request of `subject`, if it passes.
    pub(super) fn take(&self, policy: &Policy, subject: Subject<'_>) -> Decision {
        let now = self.ticks.now();
        self.with_entry(policy, subject, |entry| {
            let before = entry.counts.peek(&policy.limit, now);
            if !before.passes {
                return Decision { standing: before, paced: None };
            }
            if let Some(quota) = policy.pace {
                let new = || Box::new(RateLimiter::direct_with_clock(quota, self.ticks.clone()));
                if let Err(until) = entry.pacer.get_or_insert_with(new).check() {
                    return Decision { standing: before, paced: Some(until.wait_time_from(now)) };
                }
            }
            Decision { standing: entry.counts.take(&policy.limit, now), paced: None }
        })
    }

    /// The same without counting, and without the pace.
    pub(super) fn peek(&self, policy: &Policy, subject: Subject<'_>) -> Decision {
        let now = self.ticks.now();
        self.with_entry(policy, subject, |entry| Decision {
            standing: entry.counts.peek(&policy.limit, now),
            paced: None,
        })
    }

    fn with_entry<T>(&self, policy: &Policy, subject: Subject<'_>, use_it: impl FnOnce(&mut Entry) -> T) -> T {
        let key = self.key(policy, subject);
        let shard = &self.shards[usize::try_from(key % SHARDS as u64).unwrap_or_default()];
        let mut generations = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let Generations { young, old } = &mut *generations;
        if let Some(entry) = young.get_mut(&key) {
            return use_it(entry);
        }
        if young.len() >= self.generation.load(Ordering::Relaxed) {
            *old = std::mem::take(young);
        }
        let entry = old.remove(&key).unwrap_or_default();
        use_it(young.entry(key).or_insert(entry))
    }

    /// The key is a keyed hash: no key's text is kept, and nobody outside can make two meet.
    fn key(&self, policy: &Policy, subject: Subject<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(policy.id);
        match subject {
            Subject::Ip(IpAddr::V4(address)) => hasher.write_u32(address.to_bits()),
            // A customer has a /64; its addresses are one client.
            Subject::Ip(IpAddr::V6(address)) => {
                hasher.write_u8(6);
                hasher.write_u128(address.to_bits() >> 64);
            }
            Subject::User(user) => {
                hasher.write_u8(1);
                hasher.write(user.0.as_bytes());
            }
            Subject::Text(text) => {
                hasher.write_u8(2);
                hasher.write(text);
            }
            Subject::Everybody => hasher.write_u8(3),
        }
        hasher.finish()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("generation", &self.generation).finish_non_exhaustive()
    }
}

fn generation(keys: usize) -> usize {
    (keys / SHARDS / 2).max(1)
}

/// Our clock, as governor reads one: time since the limiter was made.
#[derive(Clone)]
struct Ticks {
    clock: Arc<dyn Clock>,
    started: Instant,
}

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.clock.monotonic().saturating_duration_since(self.started)
    }
}

/// Takes keys that are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, key: u64) {
        // The low bits chose the shard; the map looks at high and low ones.
        self.0 = key.rotate_left(29);
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::kernel::ManualClock;

    fn limiter(keys: usize) -> (Limiter, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
        (Limiter::new(keys, clock.clone()), clock)
    }

    fn policy(limit: &str, pace: Option<&str>) -> Policy {
        let pace = pace.map(|pace| pace.parse().unwrap());
        let config = RateLimitConfig { limit: limit.parse().unwrap(), per: "ip".to_owned(), pace };
        Policy::compile(1, "default", &config).unwrap()
    }

    fn ip(text: &str) -> Subject<'static> {
        Subject::Ip(text.parse().unwrap())
    }

    #[test]
    fn the_sixty_first_is_refused_and_others_are_not() {
        let (limiter, clock) = limiter(1000);
        let policy = policy("60/minute", None);
        assert!((0..60).all(|_| limiter.take(&policy, ip("192.0.2.1")).passes()));
        let refused = limiter.take(&policy, ip("192.0.2.1"));
        assert!(!refused.passes());
        assert!(limiter.take(&policy, ip("192.0.2.2")).passes());
        clock.advance(refused.retry_after());
        assert!(limiter.take(&policy, ip("192.0.2.1")).passes());
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let (limiter, _) = limiter(1000);
        let policy = policy("1/minute", None);
        assert!(limiter.take(&policy, ip("2001:db8::1")).passes());
        assert!(!limiter.take(&policy, ip("2001:db8::2")).passes());
        assert!(limiter.take(&policy, ip("2001:db8:0:1::1")).passes());
    }

    #[test]
    fn the_pace_smooths_and_costs_no_count() {
        let (limiter, clock) = limiter(1000);
        let policy = policy("100/minute", Some("2/second"));
        assert!(limiter.take(&policy, ip("192.0.2.1")).passes());
        assert!(limiter.take(&policy, ip("192.0.2.1")).passes());
        let paced = limiter.take(&policy, ip("192.0.2.1"));
        assert_eq!(paced.paced, Some(Duration::from_millis(500)));
        assert_eq!(paced.standing.remaining, 98);
        clock.advance(Duration::from_millis(500));
        assert!(limiter.take(&policy, ip("192.0.2.1")).passes());
    }

    #[test]
    fn memory_is_bounded_and_the_busy_are_remembered() {
        let (limiter, _) = limiter(SHARDS * 8);
        let policy = policy("5/minute", None);
        let busy = ip("192.0.2.1");
        assert!((0..5).all(|_| limiter.take(&policy, busy).passes()));
        for number in 0..100_000u32 {
            limiter.take(&policy, Subject::Ip(IpAddr::V4(number.into())));
            assert!(!limiter.peek(&policy, busy).passes());
        }
        let kept: usize =
            limiter.shards.iter().map(|shard| shard.lock().unwrap()).map(|g| g.young.len() + g.old.len()).sum();
        assert!(kept <= SHARDS * 8);
    }
}
