//! Sources over HTTP.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Full;

use super::super::{
    application::{
        catalogue::Source,
        ports::{RequestHeaders, SourceAnswer, SourceCaller},
    },
    domain::{
        data::take,
        outcome::{CacheUse, SourceReport, SourceStatus},
    },
};
use crate::{
    kernel::Clock,
    platform::http::client::{ClientFault, Fetched, HttpClient},
};

/// Calls sources with kept connections.
pub(crate) struct HttpSources {
    pub(crate) client: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) body_limit: usize,
}

#[async_trait]
impl SourceCaller for HttpSources {
    async fn call(&self, source: &Source, url: &str, headers: &RequestHeaders) -> SourceAnswer {
        let started = self.clock.monotonic();
        let mut answer = match request(source, url, headers) {
            Ok(request) => judge(self.client.fetch(request, source.timeout, self.body_limit).await),
            Err(_) => failed(SourceStatus::Error, None, "the request cannot be made"),
        };
        answer.report.duration = self.clock.monotonic() - started;
        let upstream = format!("source:{}", source.name);
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
                        duration: std::time::Duration::ZERO,
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
