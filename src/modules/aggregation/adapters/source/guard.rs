//! What stands before the calls of one source, and what is known of them: it outlives a reload that leaves the source as
//! it is.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{Databases, Question, question, upstream};
use crate::{
    kernel::Clock,
    modules::aggregation::{
        adapters::cache::Keeping,
        config::{AggregationConfig, RedirectsConfig, SourceConfig, SourceRetryConfig},
        domain::outcome::SourceStatus,
    },
    platform::resilience::{Breaker, BreakerSettings, RetryBudget},
};

/// Tries after the first may be this share of a source's calls.
const RETRY_PERCENT: u32 = 20;

/// What stands before the calls of one source.
pub(super) struct Guard {
    /// The name in metrics.
    pub(super) upstream: String,
    pub(super) breaker: Arc<Breaker>,
    pub(super) retry: Option<SourceRetryConfig>,
    pub(super) budget: RetryBudget,
    pub(super) cache: Option<Keeping>,
    pub(super) redirects: Option<RedirectsConfig>,
    pub(super) compressed: bool,
    /// The largest answer.
    pub(super) room: usize,
    /// What is asked of a database, in place of a call.
    pub(super) question: Option<Question>,
    /// Tells the source's settings from others.
    pub(super) mark: String,
    made_of: String,
    max_in_flight: usize,
    in_flight: AtomicUsize,
}

/// One of the calls that are under way.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Guard {
    /// A guard with a closed breaker.
    pub(super) fn new(
        source: &SourceConfig,
        config: &AggregationConfig,
        clock: &Arc<dyn Clock>,
        databases: &Databases,
    ) -> Self {
        let made_of = made_of(source, config);
        let mut hash = DefaultHasher::new();
        made_of.hash(&mut hash);
        let upstream = upstream(&source.name);
        Self {
            breaker: breaker(source, &upstream, clock),
            retry: source.retry.clone(),
            budget: RetryBudget::new(RETRY_PERCENT),
            cache: source.cache.as_ref().map(|cache| Keeping::new(cache, &upstream)),
            redirects: source.redirects.clone(),
            compressed: source.compressed,
            room: source.body_limit.unwrap_or(config.source_body_limit).as_usize(),
            question: question(source, databases),
            mark: format!("{:x}", hash.finish()),
            made_of,
            max_in_flight: source.max_in_flight,
            in_flight: AtomicUsize::new(0),
            upstream,
        }
    }

    /// Whether a guard for this source would be made the same.
    pub(super) fn is_for(&self, source: &SourceConfig, config: &AggregationConfig) -> bool {
        self.made_of == made_of(source, config)
    }

    /// Leave to make one more call; `None`: enough are under way.
    pub(super) fn enter(&self) -> Option<Place<'_>> {
        let place = Place(&self.in_flight);
        // Who is too much counts himself for a moment, and leaves.
        (self.in_flight.fetch_add(1, Ordering::Relaxed) < self.max_in_flight).then_some(place)
    }
}

/// All that a guard depends on, as text.
fn made_of(source: &SourceConfig, config: &AggregationConfig) -> String {
    serde_json::to_string(&(source, config.source_body_limit)).unwrap_or_default()
}

fn breaker(source: &SourceConfig, upstream: &str, clock: &Arc<dyn Clock>) -> Arc<Breaker> {
    let settings = BreakerSettings {
        failures: source.breaker.failures,
        window: source.breaker.window.get(),
        open_for: source.breaker.open_for.get(),
        half_open_requests: source.breaker.half_open_requests,
    };
    let upstream = upstream.to_owned();
    for status in [SourceStatus::Ok, SourceStatus::Error, SourceStatus::Timeout, SourceStatus::Open] {
        metrics::counter!("upstream_requests_total", "upstream" => upstream.clone(), "outcome" => status.as_str())
            .increment(0);
    }
    let gauge = metrics::gauge!("circuit_breaker_state", "upstream" => upstream.clone());
    gauge.set(0.0);
    Breaker::new(settings, Arc::clone(clock), move |state| {
        gauge.set(f64::from(state as u8));
        tracing::warn!(event = "circuit_breaker_changed", upstream, state = state.as_str(), "circuit breaker changed");
    })
}
