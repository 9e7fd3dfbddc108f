//! Sources over HTTP.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;

use super::{
    super::{
        application::{
            catalogue::Source,
            ports::{Call, RequestHeaders, SourceAnswer, SourceCaller},
        },
        config::{AggregationConfig, SourceCacheConfig, SourceConfig, SourceRetryConfig},
        domain::{
            data::take,
            outcome::{CacheUse, SourceReport, SourceStatus},
        },
    },
    cache::AnswerCache,
};
use crate::{
    kernel::Clock,
    platform::{
        http::client::{ClientFault, Fetched, HttpClient},
        resilience::{Breaker, BreakerSettings, RetryBudget},
    },
};

/// Calls sources with kept connections, each behind its breaker, and keeps answers of those that have a cache.
pub(crate) struct HttpSources {
    client: HttpClient,
    clock: Arc<dyn Clock>,
    body_limit: usize,
    guards: HashMap<String, Guard>,
    cache: AnswerCache,
}

/// What stands before the calls of one source.
struct Guard {
    breaker: Arc<Breaker>,
    retry: Option<SourceRetryConfig>,
    budget: RetryBudget,
    cache: Option<SourceCacheConfig>,
}

/// Until a connection to a source stands; the source's timeout runs beside it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Tries after the first may be this share of a source's calls.
const RETRY_PERCENT: u32 = 20;

impl HttpSources {
    /// A caller of these sources; every breaker is closed, nothing is kept.
    pub(crate) fn new(config: &AggregationConfig, clock: Arc<dyn Clock>) -> Self {
        let guard = |source: &SourceConfig| Guard {
            breaker: breaker(source, &clock),
            retry: source.retry.clone(),
            budget: RetryBudget::new(RETRY_PERCENT),
            cache: source.cache.clone(),
        };
        let guards = config.sources.iter().map(|source| (source.name.clone(), guard(source))).collect();
        let cached = config.sources.iter().filter(|source| source.cache.is_some());
        let cache = AnswerCache::new(config.cache_size.0, cached.map(|source| upstream(&source.name)));
        let body_limit = config.source_body_limit.as_usize();
        Self { client: HttpClient::new(CONNECT_TIMEOUT), clock, body_limit, guards, cache }
    }

    /// Calls, again when that may help, until the source's time is over.
    async fn try_all(&self, source: &Source, guard: &Guard, call: &Call, headers: &RequestHeaders) -> SourceAnswer {
        let deadline = self.clock.monotonic() + source.timeout;
        guard.budget.deposit();
        let mut tries = 0;
        loop {
            let Ok(permit) = guard.breaker.admit() else {
                return failed(SourceStatus::Open, None, "not called: it failed too often of late");
            };
            let Ok(request) = request(source, call, headers) else {
                return failed(SourceStatus::Error, None, "the request cannot be made");
            };
            let left = deadline.saturating_duration_since(self.clock.monotonic());
            let fetched = self.client.fetch(request, left, self.body_limit).await;
            let is_down = match &fetched {
                Ok(fetched) => matches!(fetched.status.as_u16(), 502..=504),
                Err(fault) => *fault != ClientFault::TooLarge,
            };
            if is_down {
                permit.failed();
            } else {
                permit.succeeded();
            }
            let pause = guard.retry.as_ref().filter(|retry| tries < retry.attempts);
            let pause = pause.map(|retry| retry.backoff.get() * (1 << tries));
            let left = deadline.saturating_duration_since(self.clock.monotonic());
            match pause {
                Some(pause) if is_down && pause < left && guard.budget.withdraw() => tokio::time::sleep(pause).await,
                _ => return judge(source, fetched),
            }
            tries += 1;
        }
    }
}

fn breaker(source: &SourceConfig, clock: &Arc<dyn Clock>) -> Arc<Breaker> {
    let settings = BreakerSettings {
        failures: source.breaker.failures,
        window: source.breaker.window.get(),
        open_for: source.breaker.open_for.get(),
        half_open_requests: source.breaker.half_open_requests,
    };
    let upstream = upstream(&source.name);
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

/// The name in metrics, apart from the gateway's upstreams.
fn upstream(source: &str) -> String {
    format!("source:{source}")
}

#[async_trait]
impl SourceCaller for HttpSources {
    async fn call(&self, source: &Source, call: &Call, headers: &RequestHeaders) -> SourceAnswer {
        let started = self.clock.monotonic();
        let Some(guard) = self.guards.get(&source.name) else {
            return failed(SourceStatus::Error, None, "there is no such source");
        };
        let upstream = upstream(&source.name);
        let called = self.try_all(source, guard, call, headers);
        let mut answer = match &guard.cache {
            Some(kept) => self.cache.answer(kept, &upstream, key(source, call, headers), called).await,
            None => called.await,
        };
        answer.report.duration = self.clock.monotonic() - started;
        if answer.report.cache == CacheUse::Hit {
            return answer;
        }
        let outcome = answer.report.status.as_str();
        metrics::counter!("upstream_requests_total", "upstream" => upstream.clone(), "outcome" => outcome).increment(1);
        metrics::histogram!("upstream_request_duration_seconds", "upstream" => upstream)
            .record(answer.report.duration.as_secs_f64());
        if answer.report.status != SourceStatus::Ok {
            tracing::warn!(
                event = "source_failed",
                source = %source.name,
                status = outcome,
                http_status = answer.report.http_status,
                detail = answer.report.detail,
                "source failed"
            );
        }
        answer
    }
}

fn request(source: &Source, call: &Call, headers: &RequestHeaders) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut request = Request::builder()
        .method(source.method.as_str())
        .uri(&call.url)
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::USER_AGENT, concat!("vestibule/", env!("CARGO_PKG_VERSION")));
    for (name, value) in forwarded(source, headers).chain(&headers.trace) {
        request = request.header(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    if !source.forward_headers.iter().any(|name| name == "accept") {
        request = request.header(header::ACCEPT, "application/json");
    }
    match &call.body {
        Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Full::from(body.clone())),
        None => request.body(Full::default()),
    }
}

/// The client's headers that this source gets.
fn forwarded<'a>(source: &'a Source, headers: &'a RequestHeaders) -> impl Iterator<Item = &'a (String, String)> {
    headers.client.iter().filter(|(name, _)| source.forward_headers.contains(name))
}

/// What is used of the request; each part with its length, so that no two requests look alike.
fn key(source: &Source, call: &Call, headers: &RequestHeaders) -> String {
    let mut parts = vec![source.name.as_str(), &call.url, call.body.as_deref().unwrap_or_default()];
    let mut sent: Vec<_> = forwarded(source, headers).collect();
    sent.sort_by_key(|(name, _)| name);
    parts.extend(sent.into_iter().flat_map(|(name, value)| [name.as_str(), value]));
    parts.into_iter().fold(String::new(), |key, part| key + &part.len().to_string() + ":" + part)
}

fn judge(source: &Source, fetched: Result<Fetched, ClientFault>) -> SourceAnswer {
    match fetched {
        Err(ClientFault::Timeout) => failed(SourceStatus::Timeout, None, "no answer in time"),
        Err(fault) => failed(SourceStatus::Error, None, fault.to_string()),
        Ok(fetched) if !is_success(source, fetched.status) => {
            let status = fetched.status.as_u16();
            failed(SourceStatus::Error, Some(status), format!("answered {status}"))
        }
        Ok(fetched) => {
            let status = Some(fetched.status.as_u16());
            match take(fetched.body) {
                Err(fault) => failed(SourceStatus::Error, status, fault.detail),
                Ok(body) => SourceAnswer {
                    report: SourceReport {
                        status: SourceStatus::Ok,
                        http_status: status,
                        duration: Duration::ZERO,
                        cache: CacheUse::Miss,
                        detail: None,
                    },
                    body: Some(body),
                },
            }
        }
    }
}

fn failed(status: SourceStatus, http_status: Option<u16>, detail: impl Into<String>) -> SourceAnswer {
    SourceAnswer { report: SourceReport { http_status, ..SourceReport::failed(status, detail) }, body: None }
}

fn is_success(source: &Source, status: StatusCode) -> bool {
    if source.expect.is_empty() { status.is_success() } else { source.expect.contains(&status.as_u16()) }
}
