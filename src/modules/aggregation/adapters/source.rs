//! Sources over HTTP.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Full;

use super::super::{
    application::{
        catalogue::Source,
        ports::{RequestHeaders, SourceAnswer, SourceCaller},
    },
    config::{AggregationConfig, SourceConfig},
    domain::{
        data::take,
        outcome::{CacheUse, SourceReport, SourceStatus},
    },
};
use crate::{
    kernel::Clock,
    platform::{
        http::client::{ClientFault, Fetched, HttpClient},
        resilience::{Breaker, BreakerSettings},
    },
};

/// Calls sources with kept connections, each behind its breaker.
pub(crate) struct HttpSources {
    client: HttpClient,
    clock: Arc<dyn Clock>,
    body_limit: usize,
    breakers: HashMap<String, Arc<Breaker>>,
}

/// Until a connection to a source stands; the source's timeout runs beside it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

impl HttpSources {
    /// A caller of these sources; every breaker is closed.
    pub(crate) fn new(config: &AggregationConfig, clock: Arc<dyn Clock>) -> Self {
        let breakers = config.sources.iter().map(|source| (source.name.clone(), breaker(source, &clock))).collect();
        let body_limit = config.source_body_limit.as_usize();
        Self { client: HttpClient::new(CONNECT_TIMEOUT), clock, body_limit, breakers }
    }

    async fn guarded(&self, source: &Source, request: Request<Full<Bytes>>) -> SourceAnswer {
        let Ok(permit) = self.breakers.get(&source.name).map(Breaker::admit).transpose() else {
            return failed(SourceStatus::Open, None, "not called: it failed too often of late");
        };
        let fetched = self.client.fetch(request, source.timeout, self.body_limit).await;
        let is_down = match &fetched {
            Ok(fetched) => matches!(fetched.status.as_u16(), 502..=504),
            Err(fault) => *fault != ClientFault::TooLarge,
        };
        match permit {
            Some(permit) if is_down => permit.failed(),
            Some(permit) => permit.succeeded(),
            None => {}
        }
        judge(fetched)
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
    async fn call(&self, source: &Source, url: &str, headers: &RequestHeaders) -> SourceAnswer {
        let started = self.clock.monotonic();
        let mut answer = match request(source, url, headers) {
            Ok(request) => self.guarded(source, request).await,
            Err(_) => failed(SourceStatus::Error, None, "the request cannot be made"),
        };
        answer.report.duration = self.clock.monotonic() - started;
        let upstream = upstream(&source.name);
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

fn request(source: &Source, url: &str, headers: &RequestHeaders) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut request = Request::builder()
        .method(source.method.as_str())
        .uri(url)
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::USER_AGENT, concat!("vestibule/", env!("CARGO_PKG_VERSION")));
    let forwarded = headers.client.iter().filter(|(name, _)| source.forward_headers.contains(name));
    for (name, value) in forwarded.chain(&headers.trace) {
        request = request.header(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    if !source.forward_headers.iter().any(|name| name == "accept") {
        request = request.header(header::ACCEPT, "application/json");
    }
    request.body(Full::default())
}

fn judge(fetched: Result<Fetched, ClientFault>) -> SourceAnswer {
    match fetched {
        Err(ClientFault::Timeout) => failed(SourceStatus::Timeout, None, "no answer in time"),
        Err(fault) => failed(SourceStatus::Error, None, fault.to_string()),
        Ok(fetched) if !fetched.status.is_success() => {
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
