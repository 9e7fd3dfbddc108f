//! Sources over HTTP.

#[cfg(test)]
mod deadline;
mod decoding;
mod guard;
mod heard;
mod pages;
mod sql;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;

use self::{guard::Guard, sql::Question};
use super::{
    super::{
        application::{
            catalogue::Source,
            ports::{Call, RequestHeaders, SourceAnswer, SourceCaller},
        },
        config::{AggregationConfig, RedirectsConfig, SourceConfig},
        domain::{
            data::{Json, take},
            outcome::{CacheUse, SourceReport, SourceStatus},
            paging::within,
            statement::Statement,
        },
    },
    cache::AnswerCache,
};
use crate::{
    kernel::Clock,
    platform::{
        http::{
            client::{ClientFault, Fetched, HttpClient},
            role_client::RoleClient,
        },
        readonly::ReadOnly,
        shared_values::SharedValues,
    },
};

/// Calls sources with kept connections, each behind its breaker, and keeps answers of those that have a cache. Cheap to
/// clone.
#[derive(Clone)]
pub(crate) struct HttpSources {
    client: HttpClient,
    clock: Arc<dyn Clock>,
    roles: Option<Arc<dyn RoleClient>>,
    guards: Arc<HashMap<String, Arc<Guard>>>,
    cache: Arc<AnswerCache>,
}

/// What callers may have beside them.
#[derive(Clone, Default)]
pub(crate) struct Beside {
    /// What instances keep for each other.
    pub(crate) shared: Option<Arc<dyn SharedValues>>,
    /// The other roles.
    pub(crate) roles: Option<Arc<dyn RoleClient>>,
}

/// One call, with what bounds it.
#[derive(Clone, Copy)]
struct Asked<'a> {
    source: &'a Source,
    call: &'a Call,
    headers: &'a RequestHeaders,
    deadline: Instant,
    /// The largest answer.
    room: usize,
}

/// Until a connection to a source stands; the source's timeout runs beside it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The rows of a source that says nothing else.
const MAX_ROWS: usize = 1_000;
/// When a source with enough calls under way is worth another try.
const WHEN_FULL: Duration = Duration::from_secs(1);
/// Answers up to this size are looked at by their schema at once.
const SMALL: usize = 128 * 1024;

impl HttpSources {
    /// A caller of these sources. Those that were `before`, with the same settings, go on as they are, what is kept of
    /// their answers and how they fared included; the breakers of others are closed.
    pub(crate) fn new(
        config: &AggregationConfig,
        clock: Arc<dyn Clock>,
        databases: &Databases,
        Beside { shared, roles }: Beside,
        before: Option<&Self>,
    ) -> Self {
        let guard = |source: &SourceConfig| {
            let known = before.and_then(|before| before.guards.get(&source.name));
            let known = known.filter(|guard| guard.is_for(source, config)).cloned();
            known.unwrap_or_else(|| Arc::new(Guard::new(source, config, &clock, databases)))
        };
        let guards = config.sources.iter().map(|source| (source.name.clone(), guard(source))).collect();
        let cache = before.map(|before| &before.cache).filter(|cache| cache.size() == config.cache_size.0).cloned();
        let cache =
            cache.unwrap_or_else(|| Arc::new(AnswerCache::new(config.cache_size.0, Arc::clone(&clock), shared)));
        let client = before.map_or_else(|| HttpClient::new(CONNECT_TIMEOUT), |before| before.client.clone());
        Self { client, clock, roles, guards: Arc::new(guards), cache }
    }

    /// Calls, again when that may help, until the source's time is over.
    async fn try_all(&self, guard: &Guard, asked: Asked<'_>) -> Result<Fetched, SourceReport> {
        guard.budget.deposit();
        let mut tries = 0;
        loop {
            let permit = guard.breaker.admit().map_err(|fault| open(fault.retry_after).report)?;
            let fetched = self.fetch(guard, asked).await?;
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
            match pause {
                Some(pause) if is_down && pause < self.left(asked) && guard.budget.withdraw() => {
                    tokio::time::sleep(pause).await;
                }
                _ => {
                    return fetched.map_err(|fault| match fault {
                        ClientFault::Timeout => SourceReport::failed(SourceStatus::Timeout, "no answer in time"),
                        fault => SourceReport::failed(SourceStatus::Error, fault.to_string()),
                    });
                }
            }
            tries += 1;
        }
    }

    /// Calls once, and where a redirect leads when that is allowed. The outer error: it cannot be called at all.
    async fn fetch(&self, guard: &Guard, asked: Asked<'_>) -> Result<Result<Fetched, ClientFault>, SourceReport> {
        let wrong = |detail: &str| SourceReport::failed(SourceStatus::Error, detail);
        let cannot = |_: http::Error| wrong("the request cannot be made");
        let mut request = request(asked.source, asked.call, Some(asked.headers), guard.compressed).map_err(cannot)?;
        let (mut url, mut redirected) = (asked.call.url.clone(), 0);
        loop {
            let (left, room) = (self.left(asked), asked.room);
            let is_at_home = within(&asked.call.url, &url).is_some();
            let fetched = match (asked.source.role.filter(|_| is_at_home), &self.roles) {
                (None, _) => self.client.fetch(request, left, room).await,
                (Some(role), Some(roles)) => roles.fetch(role, request, left, room).await,
                (Some(_), None) => Err(ClientFault::Connect),
            };
            let fetched = match fetched {
                Ok(fetched) => fetched,
                Err(fault) => return Ok(Err(fault)),
            };
            let next = guard.redirects.as_ref().filter(|redirects| redirected < redirects.max);
            let Some(next) = next.and_then(|redirects| target(redirects, &url, &asked.call.url, &fetched)) else {
                let Fetched { status, headers, body } = fetched;
                let body = decoding::decoded(&headers, body, asked.room).await;
                let body = body.ok_or_else(|| wrong("the answer is compressed in a way that is not read"))?;
                return Ok(body.map(|body| Fetched { status, headers, body }));
            };
            redirected += 1;
            // What the client sent is meant for the source, and for nobody else.
            let headers = within(&asked.call.url, &next).map(|_| asked.headers);
            let call = Call { url: next.clone(), ..asked.call.clone() };
            request = self::request(asked.source, &call, headers, guard.compressed).map_err(cannot)?;
            url = next;
        }
    }

    fn left(&self, asked: Asked<'_>) -> Duration {
        asked.deadline.saturating_duration_since(self.clock.monotonic())
    }

    /// The whole answer of a source.
    async fn answer(&self, guard: &Guard, asked: Asked<'_>) -> SourceAnswer {
        let Some(_place) = guard.enter() else {
            let mut full = failed(SourceStatus::Open, None, "not called: `max_in_flight` calls are under way");
            full.report.retry_after = Some(WHEN_FULL);
            return full;
        };
        if let Some(question) = &guard.question {
            return Box::pin(self.ask(question, guard, asked)).await;
        }
        if let Some(paging) = &asked.source.paging {
            return Box::pin(self.pages(paging, guard, asked)).await;
        }
        match self.try_all(guard, asked).await {
            Ok(fetched) => judge(asked.source, fetched, self.clock.now()).await,
            Err(report) => SourceAnswer { report, body: None },
        }
    }
}

/// The database of a source that names none.
pub(crate) const DEFAULT: &str = "default";

/// Databases by the name that sources call them.
pub(crate) type Databases = HashMap<String, Arc<ReadOnly>>;

/// What a source asks of its database; the configuration has been checked.
fn question(source: &SourceConfig, databases: &Databases) -> Option<Question> {
    let statement = Statement::parse(source.sql.as_deref()?).ok()?;
    let database = Arc::clone(databases.get(source.database.as_deref().unwrap_or(DEFAULT))?);
    let text = statement.numbered(database.mark());
    Some(Question { text, database, rows: source.max_rows.unwrap_or(MAX_ROWS) })
}

/// Where a redirect leads, when it may be followed: within the source's own origin, or to one that is named.
fn target(redirects: &RedirectsConfig, from: &str, source: &str, fetched: &Fetched) -> Option<String> {
    if !matches!(fetched.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = fetched.headers.get(header::LOCATION)?.to_str().ok()?;
    let target = url::Url::parse(from).ok()?.join(location).ok()?;
    let named = redirects.to.iter().map(String::as_str);
    std::iter::once(source).chain(named).find_map(|origin| within(origin, target.as_str()))
}

/// The name in metrics, apart from the gateway's upstreams.
fn upstream(source: &str) -> String {
    format!("source:{source}")
}

#[async_trait]
impl SourceCaller for HttpSources {
    async fn call(&self, source: &Arc<Source>, call: &Call, headers: &RequestHeaders) -> SourceAnswer {
        let started = self.clock.monotonic();
        let Some(guard) = self.guards.get(&source.name) else {
            return failed(SourceStatus::Error, None, "there is no such source");
        };
        let (deadline, room) = (started + source.timeout, guard.room);
        let called = self.answer(guard, Asked { source, call, headers, deadline, room });
        let mut answer = match &guard.cache {
            None => called.await,
            Some(keeping) => {
                let key = key(source, &guard.mark, call, headers);
                if let Some(outdated) = self.cache.outdated(keeping, &key).await {
                    self.refresh(guard, source, call, headers, key);
                    outdated
                } else {
                    self.cache.answer(keeping, key, Box::pin(called)).await
                }
            }
        };
        answer.report.duration = self.clock.monotonic() - started;
        tell(guard, source, &answer);
        answer
    }
}

impl HttpSources {
    /// Fetches anew what is about to be too old, beside who got the old answer. What is being fetched already is left
    /// alone.
    fn refresh(&self, guard: &Arc<Guard>, source: &Arc<Source>, call: &Call, headers: &RequestHeaders, key: String) {
        if !guard.cache.as_ref().is_some_and(|keeping| keeping.begin(&key)) {
            return;
        }
        let (this, guard, source) = (self.clone(), Arc::clone(guard), Arc::clone(source));
        let (call, headers) = (call.clone(), headers.clone());
        tokio::spawn(async move {
            let Some(keeping) = &guard.cache else { return };
            let _turn = keeping.turn(&key);
            let started = this.clock.monotonic();
            let (deadline, room) = (started + source.timeout, guard.room);
            let asked = Asked { source: &source, call: &call, headers: &headers, deadline, room };
            let mut answer = this.cache.renewed(keeping, &key, Box::pin(this.answer(&guard, asked))).await;
            answer.report.duration = this.clock.monotonic() - started;
            tell(&guard, &source, &answer);
        });
    }
}

/// Metrics and log of a call; what was kept was none.
fn tell(guard: &Guard, source: &Source, answer: &SourceAnswer) {
    if answer.report.cache != CacheUse::Miss && answer.report.status == SourceStatus::Ok {
        return;
    }
    let outcome = answer.report.status.as_str();
    metrics::counter!("upstream_requests_total", "upstream" => guard.upstream.clone(), "outcome" => outcome)
        .increment(1);
    metrics::histogram!("upstream_request_duration_seconds", "upstream" => guard.upstream.clone())
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
}

/// The request; `headers` are those of the request that is being answered.
fn request(
    source: &Source,
    call: &Call,
    headers: Option<&RequestHeaders>,
    compressed: bool,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut request = Request::builder()
        .method(source.method.as_str())
        .uri(&call.url)
        .header(header::ACCEPT_ENCODING, if compressed { decoding::ACCEPTED } else { "identity" })
        .header(header::USER_AGENT, concat!("vestibule/", env!("CARGO_PKG_VERSION")));
    if let Some(headers) = headers {
        let own = |name: &String| call.headers.iter().any(|(own, _)| own == name);
        let forwarded = forwarded(source, headers).filter(|(name, _)| !own(name));
        for (name, value) in forwarded.chain(&call.headers).chain(&headers.trace) {
            request = request.header(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
    }
    let accepts = source.forward_headers.iter().chain(call.headers.iter().map(|(name, _)| name));
    if headers.is_none() || !accepts.into_iter().any(|name| name == "accept") {
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
fn key(source: &Source, mark: &str, call: &Call, headers: &RequestHeaders) -> String {
    let mut parts = vec![source.name.as_str(), mark, &call.url, call.body.as_deref().unwrap_or_default()];
    parts.extend(call.values.iter().map(String::as_str));
    let mut sent: Vec<_> = forwarded(source, headers).chain(&call.headers).collect();
    sent.sort_by_key(|(name, _)| name);
    parts.extend(sent.into_iter().flat_map(|(name, value)| [name.as_str(), value]));
    parts.into_iter().fold(String::new(), |key, part| key + &part.len().to_string() + ":" + part)
}

/// What an answer is worth.
async fn judge(source: &Source, fetched: Fetched, now: DateTime<Utc>) -> SourceAnswer {
    let status = fetched.status.as_u16();
    if !is_success(source, fetched.status) {
        let mut answer = failed(SourceStatus::Error, Some(status), format!("answered {status}"));
        answer.report.retry_after = heard::retry_after(&fetched.headers, now);
        answer.report.problem = heard::problem(&fetched.headers, &fetched.body);
        return answer;
    }
    match take(fetched.body) {
        Err(fault) => failed(SourceStatus::Error, Some(status), fault.detail),
        Ok(body) => {
            if let Err(fault) = keeps_to_schema(source, &body).await {
                return failed(SourceStatus::Error, Some(status), fault);
            }
            let freshness = heard::freshness(&fetched.headers, now);
            SourceAnswer { report: SourceReport { freshness, ..SourceReport::ok(Some(status)) }, body: Some(body) }
        }
    }
}

/// A large answer must not hold up what this thread serves besides.
async fn keeps_to_schema(source: &Source, body: &Json) -> Result<(), String> {
    let Some(schema) = &source.schema else { return Ok(()) };
    let checked = if body.get().len() <= SMALL {
        schema.check(body)
    } else {
        let (schema, body) = (Arc::clone(schema), Arc::clone(body));
        let running = tokio::task::spawn_blocking(move || schema.check(&body));
        running.await.unwrap_or_else(|_| Err("the check broke off".to_owned()))
    };
    checked.map_err(|fault| format!("schema: {fault}"))
}

/// Of a source that is left alone for a while.
fn open(retry_after: Duration) -> SourceAnswer {
    let mut answer = failed(SourceStatus::Open, None, "not called: it failed too often of late");
    answer.report.retry_after = Some(retry_after);
    answer
}

fn failed(status: SourceStatus, http_status: Option<u16>, detail: impl Into<String>) -> SourceAnswer {
    SourceAnswer { report: SourceReport { http_status, ..SourceReport::failed(status, detail) }, body: None }
}

fn is_success(source: &Source, status: StatusCode) -> bool {
    if source.expect.is_empty() { status.is_success() } else { source.expect.contains(&status.as_u16()) }
}
