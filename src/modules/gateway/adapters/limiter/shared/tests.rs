//! Several instances and one keeper of counts, on a clock of the test's own.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::{
    kernel::{Clock as _, ManualClock},
    modules::gateway::config::RateLimitConfig,
};

/// The counts of one key: which fifteenth, how many.
type Slots = Vec<(u32, u64)>;

/// What Redis does with the script, in memory.
struct Fake {
    clock: Arc<ManualClock>,
    started: std::time::Instant,
    slots: Mutex<HashMap<[u8; 16], Slots>>,
    there: AtomicBool,
    asked: AtomicUsize,
}

impl Fake {
    fn new(clock: &Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            started: clock.monotonic(),
            slots: Mutex::default(),
            there: AtomicBool::new(true),
            asked: AtomicUsize::new(0),
        })
    }
}

#[async_trait::async_trait]
impl SharedCounts for Fake {
    fn is_there(&self) -> bool {
        true
    }

    async fn take(&self, asks: &[Ask]) -> Option<Vec<Told>> {
        if !self.there.load(Ordering::Relaxed) {
            return None;
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap();
        let now = 1_000_000_000 + micros(self.clock.monotonic() - self.started);
        let mut slots = self.slots.lock().unwrap();
        let mut changed = Vec::new();
        let mut told = Vec::new();
        for ask in asks {
            let (window, part, last) = (micros(ask.window), micros(ask.part), now + micros(ask.slack));
            let mut kept: Vec<(u32, u64)> = slots.get(&ask.key).cloned().unwrap_or_default();
            let mut back = ask.back;
            for (count, left_at) in &mut kept {
                if *left_at / part == ask.stamp / part {
                    let given = back.min(*count);
                    (*count, back) = (*count - given, back - given);
                }
            }
            kept.retain(|(count, left_at)| *count > 0 && left_at + window > now);
            let left = ask.limit.saturating_sub(kept.iter().map(|(count, _)| count).sum());
            let granted = if left == 0 { 0 } else { ask.want.min((left / 10).max(1)) };
            match kept.last_mut() {
                Some(newest) if granted > 0 && newest.1 / part >= last / part => {
                    *newest = (newest.0 + granted, newest.1.max(last));
                }
                _ if granted > 0 => kept.push((granted, last)),
                _ => {}
            }
            let reset = kept.first().map_or(0, |(_, left_at)| left_at + window - now);
            let stamp = kept.last().map_or(0, |(_, left_at)| *left_at);
            told.push(Told { granted, left: left - granted, reset: Duration::from_micros(reset), stamp });
            changed.push((ask.key, kept));
        }
        if told.iter().all(|told| told.granted > 0) {
            slots.extend(changed);
        }
        Some(told)
    }
}

fn limits(limit: &str, mode: LimitMode) -> Limits {
    let config = RateLimitConfig { limit: limit.parse().unwrap(), per: "route".to_owned(), pace: None, mode };
    Limits::compile("r", "r", &[config]).unwrap()
}

fn instances(count: usize) -> (Vec<Limiter>, Arc<Fake>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
    let fake = Fake::new(&clock);
    let one = || Limiter::new(1000, clock.clone(), Some(fake.clone()));
    (std::iter::repeat_with(one).take(count).collect(), fake, clock)
}

async fn passes(limiter: &Limiter, limits: &Limits) -> bool {
    limiter.take(limits, &[Subject::Everybody; MOST_POLICIES]).await.passes()
}

#[tokio::test]
async fn a_lease_grows_with_use_and_spares_questions() {
    let (limiters, fake, _) = instances(1);
    let limits = limits("1000/minute", LimitMode::Leased);
    for _ in 0..500 {
        assert!(passes(&limiters[0], &limits).await);
    }
    assert!(fake.asked.load(Ordering::Relaxed) < 25, "{:?}", fake.asked);
}

#[tokio::test]
async fn what_was_leased_and_not_used_is_given_back() {
    let (limiters, _, clock) = instances(2);
    let limits = limits("100/minute", LimitMode::Leased);
    for _ in 0..20 {
        assert!(passes(&limiters[0], &limits).await);
    }
    // Past the lease, and in the window still: one more request gives the rest back.
    clock.advance(Duration::from_secs(5));
    assert!(passes(&limiters[0], &limits).await);
    let mut passed = 21;
    while passes(&limiters[1], &limits).await {
        passed += 1;
    }
    assert!((95..=100).contains(&passed), "{passed}");
}

#[tokio::test]
async fn without_an_answer_an_instance_goes_on_from_what_it_let_through() {
    for mode in [LimitMode::Exact, LimitMode::Leased] {
        let (limiters, fake, _) = instances(2);
        let limits = limits("10/minute", mode);
        for number in 0..6 {
            assert!(passes(&limiters[number % 2], &limits).await);
        }
        fake.there.store(false, Ordering::Relaxed);
        for limiter in &limiters {
            let mut more = 0;
            while passes(limiter, &limits).await {
                more += 1;
            }
            assert_eq!(more, 7, "three were let through before");
        }
    }
}

#[tokio::test]
async fn a_flood_of_refused_requests_asks_no_more() {
    let (limiters, fake, clock) = instances(2);
    let limits = limits("10/minute", LimitMode::Exact);
    for _ in 0..10 {
        assert!(passes(&limiters[0], &limits).await);
    }
    for _ in 0..100 {
        assert!(!passes(&limiters[1], &limits).await);
    }
    assert_eq!(fake.asked.load(Ordering::Relaxed), 11);
    clock.advance(Duration::from_mins(1));
    assert!(passes(&limiters[1], &limits).await);
}

proptest! {
    /// However requests are spread over instances and time, no window lets more through than the limit.
    #[test]
    fn no_window_lets_more_through(
        count in 1u32..60,
        leased in any::<bool>(),
        requests in proptest::collection::vec((0u64..60, 0usize..3), 1..600),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (limiters, _, clock) = instances(3);
        let mode = if leased { LimitMode::Leased } else { LimitMode::Exact };
        let limits = limits(&format!("{count}/second"), mode);
        let (mut now, mut passed) = (Duration::ZERO, Vec::new());
        for (gap, instance) in requests {
            let gap = Duration::from_millis(gap / 4);
            clock.advance(gap);
            now += gap;
            if runtime.block_on(passes(&limiters[instance], &limits)) {
                passed.push(now);
            }
        }
        for from in &passed {
            let within = passed.iter().filter(|at| *at >= from && **at < *from + Duration::from_secs(1)).count();
            prop_assert!(within <= count as usize);
        }
    }
}
