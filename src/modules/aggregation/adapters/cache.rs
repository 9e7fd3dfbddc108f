//! Answers of sources that are kept, bounded by bytes. Many who want the same at the same time wait for one call.

mod second_level;

use std::{
    collections::HashSet,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache, notification::RemovalCause};

use self::second_level::{Held, SecondLevel};
use super::super::{
    application::ports::SourceAnswer,
    config::SourceCacheConfig,
    domain::outcome::{CacheUse, SourceStatus},
};
use crate::{kernel::Clock, platform::shared_values::SharedValues};

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

/// What is kept of one source, and how often that was of use.
pub(super) struct Keeping {
    settings: SourceCacheConfig,
    /// The source's name in metrics.
    name: String,
    all: AtomicU64,
    hits: AtomicU64,
    /// What is being fetched anew, beside requests.
    renewing: Mutex<HashSet<String>>,
}

/// One that is being fetched anew.
pub(super) struct Turn<'a>(&'a Keeping, &'a str);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.renewing().remove(self.1);
    }
}

impl Keeping {
    /// Of a source with this name in metrics.
    pub(super) fn new(settings: &SourceCacheConfig, name: &str) -> Self {
        for used in [CacheUse::Hit, CacheUse::Miss, CacheUse::Stale] {
            count(name, used, 0);
        }
        metrics::counter!("cache_evictions_total", "cache" => "sources").increment(0);
        metrics::gauge!("cache_hit_ratio", "cache" => name.to_owned()).set(0.0);
        Self {
            settings: settings.clone(),
            name: name.to_owned(),
            all: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            renewing: Mutex::default(),
        }
    }

    fn renewing(&self) -> MutexGuard<'_, HashSet<String>> {
        self.renewing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is this caller's turn to fetch it anew; then he MUST take the [`Self::turn`].
    pub(super) fn begin(&self, key: &str) -> bool {
        self.renewing().insert(key.to_owned())
    }

    /// The turn, which ends when it is dropped.
    pub(super) fn turn<'a>(&'a self, key: &'a str) -> Turn<'a> {
        Turn(self, key)
    }

    fn tally(&self, used: CacheUse) {
        count(&self.name, used, 1);
        let all = self.all.fetch_add(1, Ordering::Relaxed) + 1;
        let hit = u64::from(used == CacheUse::Hit);
        let hits = self.hits.fetch_add(hit, Ordering::Relaxed) + hit;
        #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than a float holds")]
        metrics::gauge!("cache_hit_ratio", "cache" => self.name.clone()).set(hits as f64 / all as f64);
    }
}

/// The cache of all sources.
pub(super) struct AnswerCache {
    /// Answers that are as good as new ones.
    fresh: Cache<String, Kept>,
    /// The same for longer, for when a source fails or is asked anew.
    stale: Cache<String, Kept>,
    size: u64,
    clock: Arc<dyn Clock>,
    second: Option<SecondLevel>,
}

impl AnswerCache {
    /// An empty cache of so many bytes.
    pub(super) fn new(size: u64, clock: Arc<dyn Clock>, shared: Option<Arc<dyn SharedValues>>) -> Self {
        let second = shared.map(|values| SecondLevel { values, clock: Arc::clone(&clock) });
        // Bodies are shared by both; counted twice, they stay within the size.
        Self { fresh: cache(size / 2), stale: cache(size - size / 2), size, clock, second }
    }

    /// How many bytes it may hold.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// An answer that is not as good as a new one any more, but good enough until there is one.
    pub(super) async fn outdated(&self, keeping: &Keeping, key: &str) -> Option<SourceAnswer> {
        let bound = keeping.settings.stale_while_revalidate.get();
        if bound.is_zero() || self.fresh.contains_key(key) {
            return None;
        }
        let kept = self.kept_within(keeping, key, bound).await?;
        keeping.tally(CacheUse::Stale);
        Some(kept)
    }

    /// The answer for `key`: a kept one, or that of `call`, which only one caller makes at a time; when it fails, one whose
    /// time is over but not long ago.
    pub(super) async fn answer(
        &self,
        keeping: &Keeping,
        key: String,
        call: impl Future<Output = SourceAnswer>,
    ) -> SourceAnswer {
        let called = AtomicBool::new(false);
        let fill = async {
            let held = match &self.second {
                Some(second) => second.get(&key).await,
                None => None,
            };
            let (ttl, settings) = (keeping.settings.ttl.get(), &keeping.settings);
            if let Some(held) = &held
                && let Some(lives) = ttl.checked_sub(held.age).filter(|lives| !lives.is_zero())
            {
                return Ok(self.held(held, lives));
            }
            called.store(true, Ordering::Relaxed);
            let answer = call.await;
            if answer.report.status != SourceStatus::Ok {
                let longest = ttl + settings.stale_if_error.get();
                if let Some(held) = &held
                    && let Some(lives) = longest.checked_sub(held.age).filter(|lives| !lives.is_zero())
                {
                    self.stale.insert(key.clone(), self.held(held, lives)).await;
                }
                return Err(answer);
            }
            Ok(self.keep(settings, &key, answer).await)
        };
        let (mut answer, used) = match self.fresh.try_get_with(key.clone(), fill).await {
            Ok(kept) if called.load(Ordering::Relaxed) => ((*kept.answer).clone(), CacheUse::Miss),
            Ok(kept) => (kept.by(self.clock.monotonic()), CacheUse::Hit),
            Err(failed) => match self.kept_within(keeping, &key, keeping.settings.stale_if_error.get()).await {
                Some(kept) => (kept, CacheUse::Stale),
                None => ((*failed).clone(), CacheUse::Miss),
            },
        };
        answer.report.cache = used;
        keeping.tally(used);
        answer
    }

    /// The answer of `call`, which takes the place of what is kept when it is a good one.
    pub(super) async fn renewed(
        &self,
        keeping: &Keeping,
        key: &str,
        call: impl Future<Output = SourceAnswer>,
    ) -> SourceAnswer {
        let answer = call.await;
        if answer.report.status == SourceStatus::Ok {
            let kept = self.keep(&keeping.settings, key, answer.clone()).await;
            self.fresh.insert(key.to_owned(), kept).await;
        }
        answer
    }

    /// Keeps a good answer for when its time is over, and for other instances.
    async fn keep(&self, settings: &SourceCacheConfig, key: &str, answer: SourceAnswer) -> Kept {
        let (ttl, after) = (settings.ttl.get(), settings.stale_if_error.max(settings.stale_while_revalidate).get());
        if let Some(second) = &self.second {
            second.put(key, &answer, ttl + after);
        }
        let kept = Kept { answer: Arc::new(answer), lives: ttl, since: self.clock.monotonic() };
        if !after.is_zero() {
            self.stale.insert(key.to_owned(), Kept { lives: ttl + after, ..kept.clone() }).await;
        }
        kept
    }

    /// An answer whose time is over for no longer than `bound`.
    async fn kept_within(&self, keeping: &Keeping, key: &str, bound: Duration) -> Option<SourceAnswer> {
        let (kept, now) = (self.stale.get(key).await?, self.clock.monotonic());
        if now.saturating_duration_since(kept.since) >= keeping.settings.ttl.get() + bound {
            return None;
        }
        let mut answer = kept.by(now);
        answer.report.cache = CacheUse::Stale;
        answer.report.freshness = answer.report.freshness.stale();
        Some(answer)
    }

    /// As long as an answer of another instance lives on here; it was good since it came there.
    fn held(&self, held: &Held, lives: Duration) -> Kept {
        let now = self.clock.monotonic();
        Kept { answer: Arc::new(held.answer.clone()), lives, since: now.checked_sub(held.age).unwrap_or(now) }
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
