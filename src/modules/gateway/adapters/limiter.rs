//! The limiter of this process: counts by key, in bounded memory.
//!
//! Each shard keeps two generations of keys. When the young one is full the old one is dropped and the young one grows
//! old; a key that is asked for moves to the young one. So what is forgotten is what was not asked for longest, memory
//! has a bound, and nothing has to be swept.

mod shared;
mod tally;

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

use actix_web::http::header::HeaderName;
use governor::{
    Quota, RateLimiter,
    clock::Clock as _,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};

use self::shared::Lease;
pub(super) use self::tally::{Tallies, Tally};
use super::{
    balance::hash_bytes,
    limits::{Decision, Limits, MOST_POLICIES, Verdict},
};
use crate::{
    kernel::{
        Clock, UserId,
        error::ValueFault,
        units::{Rate, Window},
    },
    modules::gateway::{
        config::{LimitMode, RateLimitConfig},
        domain::window::{Counts, Limit, Standing},
    },
    platform::shared_counts::SharedCounts,
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

/// As it was configured.
impl fmt::Display for Per {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Ip => f.write_str("ip"),
            Self::User => f.write_str("user"),
            Self::ApiKey => f.write_str("api_key"),
            Self::Route => f.write_str("route"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

/// Whether instances count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Each for itself.
    Off,
    /// Together.
    Reachable,
    /// They should, but the shared counts cannot be asked at the moment.
    Away,
}

/// One limit, compiled.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) per: Per,
    id: u64,
    limit: Limit,
    pace: Option<Quota>,
    /// The pace as it was configured.
    pace_told: Option<Rate>,
    mode: LimitMode,
    /// What its counts are known by in every instance.
    seed: String,
    pub(super) allowed: metrics::Counter,
    pub(super) limited: metrics::Counter,
    /// The same for the administration.
    pub(super) tally: Arc<Tally>,
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
    /// Compiles a limit. `name` is a route's, of plain characters; `owner` tells policies apart.
    pub(super) fn compile(owner: &str, name: &str, config: &RateLimitConfig) -> Result<Self, ValueFault> {
        let limit = Limit::new(config.limit.count, config.limit.window.secs());
        let decision = |decision: &'static str| metrics::counter!("rate_limit_decisions_total", "policy" => name.to_owned(), "decision" => decision);
        let (allowed, limited) = (decision("allowed"), decision("limited"));
        allowed.absolute(0);
        limited.absolute(0);
        Ok(Self {
            name: name.to_owned(),
            per: Per::parse(&config.per)?,
            id: policy_id(owner, config),
            limit,
            pace: config.pace.and_then(quota),
            pace_told: config.pace,
            mode: config.mode,
            seed: format!("{owner} {} {} ", config.per, limit.window().as_secs()),
            allowed,
            limited,
            tally: Arc::default(),
        })
    }

    /// Goes on counting where the same policy of the configuration before is.
    pub(super) fn count_in(&mut self, tallies: &Tallies) {
        self.tally = tallies.of(self.id);
    }

    pub(super) fn limit(&self) -> &Limit {
        &self.limit
    }

    pub(super) fn pace(&self) -> Option<Rate> {
        self.pace_told
    }

    pub(super) fn mode(&self) -> LimitMode {
        self.mode
    }

    /// What stands in `RateLimit-Policy`.
    pub(super) fn told(&self) -> String {
        format!("\"{}\";q={};w={}", self.name, self.limit.count(), self.limit.window().as_secs())
    }
}

/// What tells a policy from others: whose it is and what it says, so that its counts go on when it is loaded again.
fn policy_id(owner: &str, config: &RateLimitConfig) -> u64 {
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
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Subject<'a> {
    Ip(IpAddr),
    User(UserId),
    Text(&'a [u8]),
    #[default]
    Everybody,
}

/// The counts of this process.
pub(super) struct Limiter {
    ticks: Ticks,
    hasher: RandomState,
    shards: Vec<Mutex<Generations>>,
    /// The most keys in one generation of one shard.
    generation: AtomicUsize,
    /// The counts of all instances, where they are shared.
    shared: Option<Arc<dyn SharedCounts>>,
}

type Pacer = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

#[derive(Default)]
struct Entry {
    counts: Counts,
    pacer: Option<Box<Pacer>>,
    /// The other instances have used the limit up until then.
    shut_until: Duration,
    lease: Option<Box<Lease>>,
}

impl Entry {
    /// What the window lets through.
    fn window(&self, policy: &Policy, now: Duration) -> Standing {
        if now < self.shut_until {
            return Standing { passes: false, remaining: 0, reset: self.shut_until.saturating_sub(now) };
        }
        self.counts.peek(&policy.limit, now)
    }

    /// What window and pace let through. Only the pace notes that it was asked.
    fn look(&mut self, policy: &Policy, ticks: &Ticks, now: Duration) -> Verdict {
        let standing = self.window(policy, now);
        let (true, Some(quota)) = (standing.passes, policy.pace) else { return Verdict { standing, paced: None } };
        let new = || Box::new(RateLimiter::direct_with_clock(quota, ticks.clone()));
        let checked = self.pacer.get_or_insert_with(new).check();
        Verdict { standing, paced: checked.err().map(|until| until.wait_time_from(now)) }
    }
}

type Keys = HashMap<u64, Entry, BuildHasherDefault<Hashed>>;

#[derive(Default)]
struct Generations {
    young: Keys,
    old: Keys,
}

impl Limiter {
    /// A limiter that remembers at most `keys` keys.
    pub(super) fn new(keys: usize, clock: Arc<dyn Clock>, shared: Option<Arc<dyn SharedCounts>>) -> Self {
        let ticks = Ticks { started: clock.monotonic(), clock };
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { ticks, hasher: RandomState::new(), shards, generation: AtomicUsize::new(generation(keys)), shared }
    }

    /// Remembers at most `keys` keys from now on.
    pub(super) fn remember(&self, keys: usize) {
        self.generation.store(generation(keys), Ordering::Relaxed);
    }

    /// Counts a request if all policies let it through; one that is refused counts with none. `subjects` are whose count it
    /// goes to, policy by policy.
    pub(super) async fn take(&self, limits: &Limits, subjects: &[Subject<'_>; MOST_POLICIES]) -> Decision {
        let now = self.ticks.now();
        match &self.shared {
            Some(shared) if shared.is_there() => Box::pin(self.take_shared(&**shared, limits, subjects, now)).await,
            shared => {
                if shared.is_some() {
                    limits.note_alone();
                }
                self.take_local(limits, subjects, now)
            }
        }
    }

    /// How many keys are remembered now, and at most.
    pub(super) fn keys(&self) -> (usize, usize) {
        let held = |shard: &Mutex<Generations>| {
            let generations = shard.lock().unwrap_or_else(PoisonError::into_inner);
            generations.young.len() + generations.old.len()
        };
        (self.shards.iter().map(held).sum(), self.generation.load(Ordering::Relaxed) * 2 * SHARDS)
    }

    /// Whether it counts together with other instances.
    pub(super) fn sharing(&self) -> Sharing {
        match &self.shared {
            None => Sharing::Off,
            Some(shared) if shared.is_there() => Sharing::Reachable,
            Some(_) => Sharing::Away,
        }
    }

    /// Decides with what this process has let through.
    fn take_local(&self, limits: &Limits, subjects: &[Subject<'_>; MOST_POLICIES], now: Duration) -> Decision {
        if let [policy] = &*limits.policies {
            let verdict = self.with_entry(policy, subjects[0], |entry| {
                let before = entry.look(policy, &self.ticks, now);
                if before.passes() {
                    Verdict { standing: entry.counts.take(&policy.limit, now), paced: None }
                } else {
                    before
                }
            });
            return Decision::of(0, &verdict);
        }
        let mut decision = self.look(limits, subjects, now);
        if !decision.passes() {
            return decision;
        }
        for (number, policy) in limits.policies.iter().enumerate() {
            let standing = self.with_entry(policy, subjects[number], |entry| entry.counts.take(&policy.limit, now));
            decision.tell(number, &Verdict { standing, paced: None });
            if !standing.passes {
                // Another request was quicker: what was counted before is taken back.
                for (policy, subject) in limits.policies[..number].iter().zip(subjects) {
                    self.with_entry(policy, *subject, |entry| entry.counts.undo(&policy.limit, now));
                }
                return decision;
            }
        }
        decision
    }

    /// What each policy says, without counting.
    fn look(&self, limits: &Limits, subjects: &[Subject<'_>; MOST_POLICIES], now: Duration) -> Decision {
        let mut decision = Decision::default();
        for (number, policy) in limits.policies.iter().enumerate() {
            let verdict = self.with_entry(policy, subjects[number], |entry| entry.look(policy, &self.ticks, now));
            decision.tell(number, &verdict);
        }
        decision
    }

    /// What the window of one policy says, without counting and without the pace.
    pub(super) fn peek(&self, policy: &Policy, subject: Subject<'_>) -> Verdict {
        let now = self.ticks.now();
        self.with_entry(policy, subject, |entry| Verdict { standing: entry.window(policy, now), paced: None })
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
        (Limiter::new(keys, clock.clone(), None), clock)
    }

    fn limits(limit: &str, pace: Option<&str>) -> Limits {
        let pace = pace.map(|pace| pace.parse().unwrap());
        let config =
            RateLimitConfig { limit: limit.parse().unwrap(), per: "ip".to_owned(), pace, mode: LimitMode::Exact };
        Limits::compile("", "default", &[config]).unwrap()
    }

    fn take(limiter: &Limiter, limits: &Limits, subject: Subject<'_>) -> Decision {
        limiter.take_local(limits, &[subject; MOST_POLICIES], limiter.ticks.now())
    }

    fn ip(text: &str) -> Subject<'static> {
        Subject::Ip(text.parse().unwrap())
    }

    #[test]
    fn the_sixty_first_is_refused_and_others_are_not() {
        let (limiter, clock) = limiter(1000);
        let limits = limits("60/minute", None);
        assert!((0..60).all(|_| take(&limiter, &limits, ip("192.0.2.1")).passes()));
        let refused = take(&limiter, &limits, ip("192.0.2.1"));
        assert!(!refused.passes());
        assert!(take(&limiter, &limits, ip("192.0.2.2")).passes());
        clock.advance(refused.retry_after());
        assert!(take(&limiter, &limits, ip("192.0.2.1")).passes());
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let (limiter, _) = limiter(1000);
        let limits = limits("1/minute", None);
        assert!(take(&limiter, &limits, ip("2001:db8::1")).passes());
        assert!(!take(&limiter, &limits, ip("2001:db8::2")).passes());
        assert!(take(&limiter, &limits, ip("2001:db8:0:1::1")).passes());
    }

    #[test]
    fn the_pace_smooths_and_costs_no_count() {
        let (limiter, clock) = limiter(1000);
        let limits = limits("100/minute", Some("2/second"));
        assert!(take(&limiter, &limits, ip("192.0.2.1")).passes());
        assert!(take(&limiter, &limits, ip("192.0.2.1")).passes());
        let paced = take(&limiter, &limits, ip("192.0.2.1"));
        assert_eq!((paced.passes(), paced.retry_after()), (false, Duration::from_millis(500)));
        assert_eq!(paced.standing(0).remaining, 98);
        clock.advance(Duration::from_millis(500));
        assert!(take(&limiter, &limits, ip("192.0.2.1")).passes());
    }

    #[test]
    fn memory_is_bounded_and_the_busy_are_remembered() {
        let (limiter, _) = limiter(SHARDS * 8);
        let limits = limits("5/minute", None);
        let busy = ip("192.0.2.1");
        assert!((0..5).all(|_| take(&limiter, &limits, busy).passes()));
        for number in 0..100_000u32 {
            take(&limiter, &limits, Subject::Ip(IpAddr::V4(number.into())));
            assert!(!limiter.peek(&limits.policies[0], busy).passes());
        }
        let kept: usize =
            limiter.shards.iter().map(|shard| shard.lock().unwrap()).map(|g| g.young.len() + g.old.len()).sum();
        assert!(kept <= SHARDS * 8);
    }

    #[test]
    fn a_request_that_one_policy_refuses_counts_with_none() {
        let (limiter, _) = limiter(1000);
        let config = |limit: &str, per: &str| RateLimitConfig {
            limit: limit.parse().unwrap(),
            per: per.to_owned(),
            pace: None,
            mode: LimitMode::Exact,
        };
        let limits = Limits::compile("r", "r", &[config("2/minute", "ip"), config("3/hour", "route")]).unwrap();
        assert_eq!(limits.header, "\"r\";q=2;w=60, \"r:2\";q=3;w=3600");
        let take = |address: &str| {
            let subjects = [ip(address), Subject::Everybody, Subject::Everybody, Subject::Everybody];
            limiter.take_local(&limits, &subjects, limiter.ticks.now())
        };
        assert!(take("192.0.2.1").passes() && take("192.0.2.1").passes());
        let refused = take("192.0.2.1");
        assert!(refused.refused_by(0) && !refused.refused_by(1));
        assert_eq!(limits.state_header(&refused).unwrap(), "\"r\";r=0;t=60, \"r:2\";r=1;t=3600");
        assert!(take("192.0.2.2").passes(), "the refused one did not count with the route");
        let refused = take("192.0.2.2");
        assert!(!refused.refused_by(0) && refused.refused_by(1));
        assert_eq!(refused.standing(0).remaining, 1, "nor this one with the address");
    }
}
