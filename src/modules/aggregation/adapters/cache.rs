//! Answers of sources that are kept, bounded by bytes. Many who want the same at the same time wait for one call.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache, notification::RemovalCause};

use super::super::{
    application::ports::SourceAnswer,
    config::SourceCacheConfig,
    domain::outcome::{CacheUse, SourceStatus},
};
use crate::kernel::Clock;

/// What an entry costs beside its key and body, about.
const OVERHEAD: usize = 256;

/// An answer and how long it may be used.
#[derive(Clone)]
struct Kept {
    answer: Arc<SourceAnswer>,
    lives: Duration,
    since: Instant,
}

impl Kept {
    /// The answer, as old as it is by now.
    fn by(&self, now: Instant) -> SourceAnswer {
        let mut answer = (*self.answer).clone();
        answer.report.freshness = answer.report.freshness.later(now.saturating_duration_since(self.since));
        answer
    }
}

/// Every entry lives as long as it says.
struct AsLongAsItSays;

impl Expiry<String, Kept> for AsLongAsItSays {
    fn expire_after_create(&self, _: &String, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(kept.lives)
    }
    fn expire_after_update(&self, _: &String, kept: &Kept, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(kept.lives)
    }
}

/// Look-ups of one source.
#[derive(Debug, Default)]
struct Tally {
    all: AtomicU64,
    hits: AtomicU64,
}

/// The cache of all sources.
pub(super) struct AnswerCache {
    /// Answers that are as good as new ones.
    fresh: Cache<String, Kept>,
    /// The same for longer, for when a source fails.
    stale: Cache<String, Kept>,
    tallies: HashMap<String, Tally>,
    clock: Arc<dyn Clock>,
}

impl AnswerCache {
    /// An empty cache of so many bytes, for sources of these names.
    pub(super) fn new(size: u64, names: impl Iterator<Item = String>, clock: Arc<dyn Clock>) -> Self {
        let tallies: HashMap<String, Tally> = names.map(|name| (name, Tally::default())).collect();
        for name in tallies.keys() {
            for used in [CacheUse::Hit, CacheUse::Miss, CacheUse::Stale] {
                count(name, used, 0);
            }
            metrics::counter!("cache_evictions_total", "cache" => "sources").increment(0);
            metrics::gauge!("cache_hit_ratio", "cache" => name.clone()).set(0.0);
        }
        // Bodies are shared by both; counted twice, they stay within the size.
        Self { fresh: cache(size / 2), stale: cache(size - size / 2), tallies, clock }
    }

    /// The answer for `key`: a kept one, or that of `call`, which only one caller makes at a time; when it fails, one whose
    /// time is over but not long ago.
    pub(super) async fn answer(
        &self,
        settings: &SourceCacheConfig,
        name: &str,
        key: String,
        call: impl Future<Output = SourceAnswer>,
    ) -> SourceAnswer {
        let called = AtomicBool::new(false);
        let fill = async {
            called.store(true, Ordering::Relaxed);
            let answer = call.await;
            if answer.report.status != SourceStatus::Ok {
                return Err(answer);
            }
            let (answer, since) = (Arc::new(answer), self.clock.monotonic());
            if !settings.stale_if_error.get().is_zero() {
                let lives = settings.ttl.get() + settings.stale_if_error.get();
                self.stale.insert(key.clone(), Kept { answer: Arc::clone(&answer), lives, since }).await;
            }
            Ok(Kept { answer, lives: settings.ttl.get(), since })
        };
        let (mut answer, used) = match self.fresh.try_get_with(key.clone(), fill).await {
            Ok(kept) if called.load(Ordering::Relaxed) => ((*kept.answer).clone(), CacheUse::Miss),
            Ok(kept) => (kept.by(self.clock.monotonic()), CacheUse::Hit),
            Err(failed) => match self.stale.get(&key).await {
                Some(kept) => (kept.by(self.clock.monotonic()), CacheUse::Stale),
                None => ((*failed).clone(), CacheUse::Miss),
            },
        };
        answer.report.cache = used;
        if used == CacheUse::Stale {
            answer.report.freshness = answer.report.freshness.stale();
        }
        self.tally(name, used);
        answer
    }

    fn tally(&self, name: &str, used: CacheUse) {
        count(name, used, 1);
        let Some(tally) = self.tallies.get(name) else { return };
        let all = tally.all.fetch_add(1, Ordering::Relaxed) + 1;
        let hit = u64::from(used == CacheUse::Hit);
        let hits = tally.hits.fetch_add(hit, Ordering::Relaxed) + hit;
        #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than a float holds")]
        metrics::gauge!("cache_hit_ratio", "cache" => name.to_owned()).set(hits as f64 / all as f64);
    }
}

fn count(name: &str, used: CacheUse, by: u64) {
    metrics::counter!("cache_operations_total", "cache" => name.to_owned(), "result" => used.as_str()).increment(by);
}

fn cache(bytes: u64) -> Cache<String, Kept> {
    Cache::builder()
        .max_capacity(bytes)
        .weigher(|key: &String, kept: &Kept| {
            let body = kept.answer.body.as_ref().map_or(0, |body| body.get().len());
            u32::try_from(OVERHEAD + 2 * key.len() + body).unwrap_or(u32::MAX)
        })
        .expire_after(AsLongAsItSays)
        .eviction_listener(|_, _, cause| {
            if cause == RemovalCause::Size {
                metrics::counter!("cache_evictions_total", "cache" => "sources").increment(1);
            }
        })
        .build()
}
