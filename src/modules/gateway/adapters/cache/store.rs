//! What this process keeps: bounded by bytes, the answers of one URL in one entry, so that they go together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moka::{Expiry, notification::RemovalCause, ops::compute::Op, sync::Cache};

use super::stored::Stored;
use crate::modules::gateway::config::CacheConfig;

/// How long it is remembered that a URL was invalidated: longer than any answer to a request from before is under way.
const FENCE_TIME: Duration = Duration::from_mins(15);
/// URLs whose invalidation is remembered.
const MOST_FENCES: u64 = 100_000;
/// How long it is remembered that an answer was not one to keep.
const PASS_TIME: Duration = Duration::from_secs(10);
/// URLs of which it is remembered.
const MOST_PASSES: u64 = 10_000;

/// The answers of one URL, the latest first.
pub(super) type Variants = Vec<Arc<Stored>>;

/// When a fetch began, among the invalidations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(u64);

/// What this process keeps.
pub(super) struct Store {
    entries: Cache<Arc<str>, Arc<Variants>>,
    most_variants: usize,
    keep: Duration,
    /// Counts invalidations.
    moments: AtomicU64,
    /// The last invalidation of more than single URLs.
    broad: AtomicU64,
    /// The last invalidation of each URL.
    fences: Cache<Arc<str>, u64>,
    /// URLs whose answers are not for keeping.
    passes: Cache<Arc<str>, ()>,
}

impl Store {
    pub(super) fn new(config: &CacheConfig) -> Self {
        let evictions = metrics::counter!("cache_evictions_total", "cache" => "gateway");
        evictions.increment(0);
        let entries = Cache::builder()
            .name("gateway")
            .weigher(|key: &Arc<str>, variants: &Arc<Variants>| {
                let cost: usize = variants.iter().map(|stored| stored.cost()).sum();
                u32::try_from(key.len() + 128 + cost).unwrap_or(u32::MAX)
            })
            .max_capacity(config.max_bytes.0)
            .expire_after(Usefulness { keep: config.keep.get() })
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    evictions.increment(1);
                }
            })
            .build();
        Self {
            entries,
            most_variants: config.max_variants,
            keep: config.keep.get(),
            moments: AtomicU64::new(1),
            broad: AtomicU64::new(0),
            fences: Cache::builder().max_capacity(MOST_FENCES).time_to_live(FENCE_TIME).build(),
            passes: Cache::builder().max_capacity(MOST_PASSES).time_to_live(PASS_TIME).build(),
        }
    }

    /// The answers of a URL.
    pub(super) fn get(&self, key: &str) -> Option<Arc<Variants>> {
        self.entries.get(key)
    }

    /// Now, for a fetch that begins.
    pub(super) fn moment(&self) -> Moment {
        Moment(self.moments.load(Ordering::SeqCst))
    }

    /// Keeps an answer that was asked for at that moment, in the place of the one it replaces. What has been invalidated
    /// since is not kept.
    pub(super) fn put(&self, key: &Arc<str>, stored: &Arc<Stored>, asked: Moment) -> bool {
        if self.is_outdated(key, asked) || stored.usefulness(stored.since, self.keep).is_zero() {
            return false;
        }
        self.passes.invalidate(key);
        let most = self.most_variants;
        self.entries.entry(key.clone()).and_compute_with(|entry| {
            let mut variants = vec![stored.clone()];
            if let Some(entry) = entry {
                let others = entry.into_value();
                let others = others.iter().filter(|other| !is_same(other, stored));
                variants.extend(others.take(most - 1).cloned());
            }
            Op::Put(Arc::new(variants))
        });
        // It may have been invalidated while it was put there.
        if self.is_outdated(key, asked) {
            self.entries.invalidate(key);
            return false;
        }
        true
    }

    /// Whether the URL was invalidated after that moment.
    pub(super) fn is_outdated(&self, key: &str, asked: Moment) -> bool {
        self.broad.load(Ordering::SeqCst) > asked.0 || self.fences.get(key).is_some_and(|fence| fence > asked.0)
    }

    /// Forgets all answers of a URL, also those that are under way. Whether there were any.
    pub(super) fn remove(&self, key: &Arc<str>) -> bool {
        let moment = self.moments.fetch_add(1, Ordering::SeqCst) + 1;
        self.fences.insert(key.clone(), moment);
        self.entries.remove(key).is_some()
    }

    /// Forgets all URLs that are chosen, and everything that is under way. How many there were.
    pub(super) fn remove_where(&self, chosen: impl Fn(&str, &Variants) -> bool) -> u64 {
        let moment = self.moments.fetch_add(1, Ordering::SeqCst) + 1;
        self.broad.fetch_max(moment, Ordering::SeqCst);
        let keys = self.entries.iter().filter(|(key, variants)| chosen(key, variants)).map(|(key, _)| key);
        let keys: Vec<Arc<Arc<str>>> = keys.collect();
        keys.iter().map(|key| u64::from(self.entries.remove(&***key).is_some())).sum()
    }

    /// Notes that the answers of a URL are not for keeping, so that nobody waits for one.
    pub(super) fn pass(&self, key: &Arc<str>) {
        self.passes.insert(key.clone(), ());
    }

    /// Whether that was noted lately.
    pub(super) fn passes(&self, key: &str) -> bool {
        self.passes.contains_key(key)
    }

    /// URLs and bytes, about.
    pub(super) fn size(&self) -> (u64, u64) {
        self.entries.run_pending_tasks();
        (self.entries.entry_count(), self.entries.weighted_size())
    }
}

/// Whether one answer takes the place of the other.
fn is_same(one: &Stored, other: &Stored) -> bool {
    one.route == other.route && one.digest == other.digest && one.names == other.names
}

/// An entry goes when none of its answers is of use.
struct Usefulness {
    keep: Duration,
}

impl Usefulness {
    fn of(&self, variants: &Variants) -> Duration {
        let now = Instant::now();
        variants.iter().map(|stored| stored.usefulness(now, self.keep)).max().unwrap_or_default()
    }
}

impl Expiry<Arc<str>, Arc<Variants>> for Usefulness {
    fn expire_after_create(&self, _: &Arc<str>, variants: &Arc<Variants>, _: Instant) -> Option<Duration> {
        Some(self.of(variants))
    }

    fn expire_after_update(
        &self,
        _: &Arc<str>,
        variants: &Arc<Variants>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.of(variants))
    }
}
