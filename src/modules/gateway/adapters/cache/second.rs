//! The second level: what other instances keep, and hear of what is no longer right.

use std::{
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::http::header::HeaderName;
use aws_lc_rs::digest::{SHA256, digest};
use metrics::Counter;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;

use super::{
    Cache, Call,
    encoding::{Now, decode, encode},
    purge::Purge,
    select,
    serve::Request,
    stored::Stored,
};
use crate::{
    kernel::{Clock, Random},
    platform::shared_cache::{Away, News, SharedCache},
};

/// After a failure it is left alone for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// The generation of an installation that has never purged.
const FIRST: &str = "0";

/// The second level, as the cache uses it.
pub(super) struct Second {
    shared: Arc<dyn SharedCache>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Tells this instance's news from those of others.
    own: String,
    /// What is kept belongs to it; it ends with a purge of more than single URLs.
    generation: RwLock<Arc<str>>,
    started: Instant,
    /// Milliseconds from the start until which it is left alone.
    away_until: AtomicU64,
    most_variants: usize,
    keep: Duration,
    hits: Counter,
    misses: Counter,
    failures: Counter,
}

/// What one instance tells the others.
#[derive(Debug, Serialize, Deserialize)]
struct Telling {
    from: String,
    purge: Purge,
    generation: Option<String>,
}

impl Second {
    pub(super) fn new(
        shared: Arc<dyn SharedCache>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        most_variants: usize,
        keep: Duration,
    ) -> Self {
        let counter = |result: &'static str| {
            let counter = metrics::counter!("cache_operations_total", "cache" => "gateway-shared", "result" => result);
            counter.increment(0);
            counter
        };
        Self {
            own: word(&*random),
            shared,
            started: clock.monotonic(),
            clock,
            random,
            generation: RwLock::new(FIRST.into()),
            away_until: AtomicU64::new(0),
            most_variants,
            keep,
            hits: counter("hit"),
            misses: counter("miss"),
            failures: counter("error"),
        }
    }

    fn now(&self) -> Now {
        Now { wall: self.clock.now(), monotonic: self.clock.monotonic() }
    }

    fn millis(&self) -> u64 {
        let since = self.clock.monotonic().saturating_duration_since(self.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn is_away(&self) -> bool {
        self.away_until.load(Ordering::Relaxed) > self.millis()
    }

    fn note<T>(&self, outcome: Result<T, Away>) -> Option<T> {
        if outcome.is_err() {
            self.failures.increment(1);
            let pause = u64::try_from(PAUSE.as_millis()).unwrap_or(1_000);
            self.away_until.store(self.millis() + pause, Ordering::Relaxed);
        }
        outcome.ok()
    }

    fn generation(&self) -> Arc<str> {
        self.generation.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_generation(&self, generation: &str) {
        *self.generation.write().unwrap_or_else(PoisonError::into_inner) = generation.into();
    }

    /// The name of what is kept of a URL.
    fn entry(&self, key: &str) -> String {
        format!("{}:{}", self.generation(), hex(&digest(&SHA256, key.as_bytes()).as_ref()[..16]))
    }

    /// What is kept for a request.
    pub(super) async fn find(&self, call: &Call<'_>, request: &Request) -> Option<Stored> {
        if self.is_away() {
            return None;
        }
        let entry = self.entry(&request.key);
        let route = &call.identity();
        // Most answers vary with nothing: names and answer are asked for at once.
        let fields = [names_field(route), answer_field(route, &[0; 32])];
        let mut values = self.note(self.shared.read(&entry, &fields).await)?;
        let (plain, names) = (values.pop().flatten(), values.pop().flatten());
        let names = names.map(|names| String::from_utf8(names).unwrap_or_default()).unwrap_or_default();
        let bytes = if names.is_empty() {
            plain
        } else {
            let names: Option<Vec<_>> = names.split(',').map(|name| HeaderName::try_from(name).ok()).collect();
            let digest = names.and_then(|names| select::digest(&names, call.outgoing))?;
            self.note(self.shared.read(&entry, &[answer_field(route, &digest)]).await)?.pop().flatten()
        };
        let stored = bytes.and_then(|bytes| decode(&request.key, bytes, self.now()));
        // It is looked at once more, whatever its place says.
        let stored = stored.filter(|stored| {
            let may_share = !request.asked.credentialed || stored.freshness.shareable;
            let selected = select::digest(&stored.names, call.outgoing) == Some(stored.digest);
            stored.route == *route && may_share && selected
        });
        (if stored.is_some() { &self.hits } else { &self.misses }).increment(1);
        stored
    }

    /// Keeps an answer for the others. The generation is the one in which it was asked for.
    pub(super) async fn keep(&self, key: &str, stored: &Stored) {
        if self.is_away() {
            return;
        }
        let entry = self.entry(key);
        let now = self.now();
        let names: Vec<&str> = stored.names.iter().map(HeaderName::as_str).collect();
        let fields = vec![
            (names_field(&stored.route), names.join(",").into_bytes()),
            (answer_field(&stored.route, &stored.digest), encode(key, stored, now)),
        ];
        let time = stored.usefulness(now.monotonic, self.keep);
        self.note(self.shared.write(&entry, fields, time, self.most_variants * 2).await);
    }

    /// Forgets what is kept of a URL.
    pub(super) async fn forget(&self, key: &str) {
        let _ = self.shared.remove(&self.entry(key)).await;
    }

    /// Tells the others, whose caches are to forget it too; whatever is more than one URL ends the generation.
    pub(super) fn tell(&self, purge: Purge) {
        let generation = (!matches!(purge, Purge::Key(_))).then(|| word(&*self.random));
        if let Some(generation) = &generation {
            self.set_generation(generation);
        }
        let telling = Telling { from: self.own.clone(), purge, generation: generation.clone() };
        if let Ok(news) = serde_json::to_string(&telling) {
            self.shared.tell(news, generation);
        }
    }
}

/// Begins to hear what others tell, until the cache is gone.
pub(in crate::modules::gateway::adapters) fn hear(cache: &Arc<Cache>) {
    let Some(second) = &cache.second else { return };
    let mut heard = second.shared.hear();
    let cache = Arc::downgrade(cache);
    tokio::spawn(async move {
        take_generation(&cache).await;
        loop {
            let news = match heard.recv().await {
                Ok(news) => news,
                Err(RecvError::Lagged(_)) => News::Missed,
                Err(RecvError::Closed) => return,
            };
            let Some(cache) = cache.upgrade() else { return };
            cache.heard(news).await;
        }
    });
}

async fn take_generation(cache: &Weak<Cache>) {
    loop {
        {
            let Some(cache) = cache.upgrade() else { return };
            let Some(second) = &cache.second else { return };
            match second.shared.generation().await {
                Ok(generation) => return second.set_generation(generation.as_deref().unwrap_or(FIRST)),
                Err(Away) => second.away_until.store(second.millis() + 1_000, Ordering::Relaxed),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Cache {
    async fn heard(&self, news: News) {
        let Some(second) = &self.second else { return };
        let telling = match &news {
            News::Told(text) => serde_json::from_str::<Telling>(text).ok(),
            News::Missed => None,
        };
        let Some(telling) = telling else {
            tracing::info!(event = "cache_news_missed", detail = "everything that is kept is forgotten");
            self.purge_here(&Purge::All(true));
            if let Ok(generation) = second.shared.generation().await {
                second.set_generation(generation.as_deref().unwrap_or(FIRST));
            }
            return;
        };
        if telling.from == second.own {
            return;
        }
        if let Some(generation) = &telling.generation {
            second.set_generation(generation);
        }
        self.purge_here(&telling.purge);
        // An answer that was under way here may have been kept after the teller had removed it.
        if let Purge::Key(key) = &telling.purge {
            second.forget(key).await;
        }
    }
}

fn names_field(route: &[u8; 16]) -> String {
    format!("n{}", hex(route))
}

fn answer_field(route: &[u8; 16], digest: &[u8; 32]) -> String {
    format!("a{}{}", hex(route), hex(digest))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn word(random: &dyn Random) -> String {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    hex(&bytes)
}
