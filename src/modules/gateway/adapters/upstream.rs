//! An upstream: its targets, how one is chosen, and what protects it and its callers from each other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    adaptive::{Adaptive, FIRST},
    balance::{Balancer, Standing},
    dns::Name,
    target::Target,
};
use crate::{
    kernel::{Clock, Random},
    modules::gateway::config::{HealthConfig, MaxInFlight, OutlierConfig, UpstreamConfig},
    platform::resilience::{Breaker, BreakerSettings, RetryBudget},
};

/// An upstream, compiled.
pub(super) struct Upstream {
    pub(super) name: String,
    /// As it was configured, to be compared with.
    pub(super) settings: serde_json::Value,
    pub(super) targets: Vec<Target>,
    pub(super) balancer: Balancer,
    pub(super) hash_on: Option<HashOn>,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) idle_timeout: Duration,
    /// The most requests in flight.
    pub(super) cap: AtomicUsize,
    /// Finds the cap, where it is not fixed.
    adaptive: Option<Adaptive>,
    pub(super) in_flight: AtomicUsize,
    pub(super) breaker: Arc<Breaker>,
    pub(super) retry: Option<Retry>,
    pub(super) outlier: Option<OutlierConfig>,
    pub(super) health: Option<HealthConfig>,
    pub(super) hedge: Option<Hedge>,
    pub(super) panic_percent: u32,
    pub(super) slow_start: Option<Duration>,
    /// What is looked up for targets by name.
    pub(super) names: Vec<Name>,
    /// A role of ours, which judges credentials itself and so gets them.
    pub(super) is_role: bool,
    pub(super) metrics: Outcomes,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    started: Instant,
}

/// When another target is asked beside one that is slow.
pub(super) struct Hedge {
    pub(super) after: Duration,
    pub(super) max: u32,
    /// Where the upstream has no budget for retries.
    pub(super) budget: RetryBudget,
}

/// Hedges are at most this share of the requests where no `retry` says another, in percent.
const HEDGE_BUDGET: u32 = 20;

/// When requests are tried again.
pub(super) struct Retry {
    pub(super) attempts: u32,
    pub(super) on_connect: bool,
    pub(super) on_reset: bool,
    pub(super) on_status: Vec<u16>,
    pub(super) backoff: Duration,
    pub(super) budget: RetryBudget,
}

/// What a consistent hash goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HashOn {
    ClientIp,
    User,
    Header(actix_web::http::header::HeaderName),
    Cookie(String),
}

impl HashOn {
    /// Reads `hash_on`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "client_ip" => Some(Self::ClientIp),
            None if text == "user" => Some(Self::User),
            Some(("header", name)) => name.try_into().ok().map(Self::Header),
            Some(("cookie", name)) if !name.is_empty() => Some(Self::Cookie(name.to_owned())),
            _ => None,
        }
    }
}

/// What became of a request that was to go upstream.
pub(super) struct Outcomes {
    pub(super) success: metrics::Counter,
    pub(super) error: metrics::Counter,
    pub(super) connect: metrics::Counter,
    pub(super) reset: metrics::Counter,
    pub(super) timeout: metrics::Counter,
    pub(super) rejected: metrics::Counter,
    pub(super) client: metrics::Counter,
    pub(super) retried: metrics::Counter,
    pub(super) hedged: metrics::Counter,
    /// To the response head.
    pub(super) duration: metrics::Histogram,
}

impl Outcomes {
    fn new(upstream: &str) -> Self {
        let outcome = |outcome: &'static str| {
            let counter =
                metrics::counter!("upstream_requests_total", "upstream" => upstream.to_owned(), "outcome" => outcome);
            counter.absolute(0);
            counter
        };
        Self {
            success: outcome("success"),
            error: outcome("error"),
            connect: outcome("connect"),
            reset: outcome("reset"),
            timeout: outcome("timeout"),
            rejected: outcome("rejected"),
            client: outcome("client"),
            retried: outcome("retried"),
            hedged: outcome("hedged"),
            duration: metrics::histogram!("upstream_request_duration_seconds", "upstream" => upstream.to_owned()),
        }
    }
}

/// What an upstream is made of beside its configuration.
pub(super) struct UpstreamParts {
    /// The configuration as a value, to be compared with the next one.
    pub(super) settings: serde_json::Value,
    pub(super) targets: Vec<Target>,
    /// What is looked up for targets by name.
    pub(super) names: Vec<Name>,
    pub(super) is_role: bool,
}

impl Upstream {
    /// Puts an upstream together from parts that were checked.
    pub(super) fn new(
        config: &UpstreamConfig,
        parts: UpstreamParts,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
        started: Instant,
    ) -> Self {
        let UpstreamParts { settings, targets, names, is_role } = parts;
        let breaker = BreakerSettings {
            failures: config.breaker.failures,
            window: config.breaker.window.get(),
            open_for: config.breaker.open_for.get(),
            half_open_requests: config.breaker.half_open_requests,
        };
        let gauge = breaker_gauge(&config.name);
        // There from the start; but what is shown of an upstream of this name stays until this one takes its place.
        gauge.increment(0.0);
        let name = config.name.clone();
        let breaker = Breaker::new(breaker, clock.clone(), move |state| {
            gauge.set(f64::from(state as u8));
            tracing::warn!(event = "circuit_breaker_changed", upstream = name, state = state.as_str());
        });
        let retry = config.retry.as_ref().map(|retry| Retry {
            attempts: retry.attempts,
            on_connect: retry.on.iter().any(|on| on == "connect"),
            on_reset: retry.on.iter().any(|on| on == "reset"),
            on_status: retry.on.iter().filter_map(|on| on.parse().ok()).collect(),
            backoff: retry.backoff.get(),
            budget: RetryBudget::new(retry.budget_percent),
        });
        let weights: Vec<u32> = targets.iter().map(Target::configured_weight).collect();
        let balancer = Balancer::new(config.balance, &weights, random.clone()).bounded(config.hash_balance_factor);
        let is_ranked = !names.is_empty();
        let upstream = Self {
            name: config.name.clone(),
            settings,
            balancer: if is_ranked { balancer.ranked() } else { balancer },
            targets,
            hash_on: config.hash_on.as_deref().and_then(HashOn::parse),
            connect_timeout: config.connect_timeout.get(),
            timeout: config.timeout.get(),
            idle_timeout: config.idle_timeout.get(),
            cap: AtomicUsize::new(match config.max_in_flight {
                MaxInFlight::Fixed(cap) => cap,
                MaxInFlight::Adaptive(_) => FIRST,
            }),
            adaptive: matches!(config.max_in_flight, MaxInFlight::Adaptive(_)).then(Adaptive::default),
            in_flight: AtomicUsize::new(0),
            breaker,
            retry,
            outlier: config.outlier.clone(),
            health: config.health.clone(),
            hedge: config.hedge.as_ref().map(|hedge| Hedge {
                after: hedge.after.get(),
                max: hedge.max,
                budget: RetryBudget::new(HEDGE_BUDGET),
            }),
            panic_percent: config.panic_percent,
            slow_start: config.slow_start.map(crate::kernel::units::Span::get),
            names,
            is_role,
            metrics: Outcomes::new(&config.name),
            clock: clock.clone(),
            random: random.clone(),
            started,
        };
        upstream.arrange();
        upstream
    }

    /// Takes what names say of places, weights and priorities into account from now on.
    pub(super) fn arrange(&self) {
        let standing = |(number, target): (usize, &Target)| {
            let priority = target.said().map(|said| said.priority);
            Standing { target: number, weight: target.weight(), priority }
        };
        let present = self.targets.iter().enumerate().filter(|(_, target)| target.is_present());
        self.balancer.arrange(present.map(standing));
    }

    /// Shows the breaker's state in the metrics.
    pub(super) fn show_breaker(&self) {
        breaker_gauge(&self.name).set(f64::from(self.breaker.state() as u8));
    }

    /// The gateway's own time.
    pub(super) fn now(&self) -> Duration {
        self.clock.monotonic().saturating_duration_since(self.started)
    }

    /// A number between 0 and 1.
    pub(super) fn chance(&self) -> f64 {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }

    /// Any number.
    pub(super) fn draw(&self) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A place among the requests in flight; `None` when all are taken.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= self.cap.load(Ordering::Relaxed) {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Place { upstream: self.clone(), target: None })
    }

    /// Notes how long an answer took to its head.
    pub(super) fn answered(&self, took: Duration) {
        self.metrics.duration.record(took.as_secs_f64());
        if let Some(adaptive) = &self.adaptive {
            adaptive.answered(took, self.in_flight.load(Ordering::Relaxed), &self.cap);
        }
    }

    /// Notes that no answer came in time.
    pub(super) fn timed_out(&self) {
        if let Some(adaptive) = &self.adaptive {
            adaptive.timed_out(&self.cap);
        }
    }

    /// Whether an answer took so long that its target is not well.
    pub(super) fn is_slow(&self, took: Duration) -> bool {
        self.outlier.as_ref().and_then(|outlier| outlier.latency).is_some_and(|latency| took > latency.get())
    }

    /// Notes how a target did. Failures in a row eject it, unless too many are out already.
    pub(super) fn judge(&self, number: usize, succeeded: bool) {
        let target = &self.targets[number];
        if succeeded {
            if target.failures_in_a_row.load(Ordering::Relaxed) != 0 {
                target.failures_in_a_row.store(0, Ordering::Relaxed);
            }
            return;
        }
        target.failures.fetch_add(1, Ordering::Relaxed);
        let in_a_row = target.failures_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(outlier) = self.outlier.as_ref().filter(|outlier| in_a_row >= outlier.consecutive_failures) else {
            return;
        };
        let now = self.now();
        let ejected = self.targets.iter().filter(|target| target.is_ejected(now)).count();
        let all = self.targets.iter().filter(|target| target.is_present()).count();
        if (ejected + 1) * 100 > all * outlier.max_ejected_percent as usize || target.is_ejected(now) {
            return;
        }
        let until = (now + outlier.ejection.get()).as_millis();
        target.ejected_until.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
        target.failures_in_a_row.store(0, Ordering::Relaxed);
        tracing::warn!(event = "target_ejected", upstream = self.name, target = target.url);
    }
}

fn breaker_gauge(upstream: &str) -> metrics::Gauge {
    metrics::gauge!("circuit_breaker_state", "upstream" => upstream.to_owned())
}

/// A place among the requests in flight, given back when it is dropped.
pub(super) struct Place {
    upstream: Arc<Upstream>,
    target: Option<usize>,
}

impl Place {
    /// Counts the request with this target, and no longer with an earlier one.
    pub(super) fn at(&mut self, target: usize) {
        self.leave_target();
        self.upstream.targets[target].in_flight.fetch_add(1, Ordering::Relaxed);
        self.upstream.targets[target].requests.fetch_add(1, Ordering::Relaxed);
        self.target = Some(target);
    }

    fn leave_target(&mut self) {
        if let Some(target) = self.target.take() {
            self.upstream.targets[target].in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave_target();
        self.upstream.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
