//! `[aggregation]`: sources, endpoints and limits of evaluation.

mod batch;
mod graphql;
mod reach;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use batch::BatchConfig;
pub use graphql::GraphqlConfig;
pub use reach::{PaginateBy, PaginateConfig, RedirectsConfig};

use crate::kernel::units::{ByteSize, Span};

/// `[aggregation]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AggregationConfig {
    /// The largest answer a source may give.
    pub source_body_limit: ByteSize,
    /// For all cached answers of sources together.
    pub cache_size: ByteSize,
    /// The longest line of NDJSON that `/data/transform` takes.
    #[serde(default = "line_limit")]
    pub line_limit: ByteSize,
    /// The limits of evaluation of programs from requests.
    pub evaluation: EvaluationConfig,
    /// `[[aggregation.sources]]`.
    #[serde(default)]
    pub sources: Vec<SourceConfig>,
    /// `[[aggregation.endpoints]]`.
    #[serde(default)]
    pub endpoints: Vec<EndpointConfig>,
    /// `[[aggregation.rulesets]]`.
    #[serde(default)]
    pub rulesets: Vec<RulesetConfig>,
    /// `[aggregation.graphql]`; absent: not served.
    pub graphql: Option<GraphqlConfig>,
}

/// `[aggregation.evaluation]`: programs from requests run in worker processes within these limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Worker processes kept warm.
    pub workers: usize,
    /// For one evaluation.
    pub timeout: Span,
    /// A worker's memory.
    pub memory: ByteSize,
    /// The largest result.
    pub output_limit: ByteSize,
    /// Evaluations that may wait for a worker; more are answered with 503.
    pub queue: usize,
}

/// `[[aggregation.sources]]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// The name steps and `?sources=` use.
    pub name: String,
    /// `{name}` is filled from the arguments, percent-encoded.
    #[serde(default)]
    pub url: String,
    /// A role of this installation that is asked: `auth`; `url` is then a path such as `/auth/me`.
    pub role: Option<String>,
    /// In place of `url`: a question to a database, `:name` being the arguments, bound as texts. Its rows are the answer.
    pub sql: Option<String>,
    /// For `sql`: whose database is asked, `default` or `auth`.
    pub database: Option<String>,
    /// For `sql`: the most rows.
    pub max_rows: Option<usize>,
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// Request headers that are passed on.
    #[serde(default)]
    pub forward_headers: Vec<String>,
    /// Until the whole answer.
    #[serde(default = "source_timeout")]
    pub timeout: Span,
    /// Whether `/data/aggregate` fails without it.
    #[serde(default)]
    pub required: bool,
    /// The statuses that are success; empty: 200 to 299.
    #[serde(default)]
    pub expect: Vec<u16>,
    /// A file with a JSON Schema that an answer keeps to before `select`; one that does not is an error.
    pub schema: Option<std::path::PathBuf>,
    /// The largest answer; absent: `aggregation.source_body_limit`.
    pub body_limit: Option<ByteSize>,
    /// jq over the body; absent: the body as it is.
    pub select: Option<String>,
    /// How its pages are followed; absent: an answer is one page.
    pub paginate: Option<PaginateConfig>,
    /// Which redirects are followed; absent: none.
    pub redirects: Option<RedirectsConfig>,
    /// Whether it is asked to compress its answers (gzip, brotli, zstd).
    #[serde(default)]
    pub compressed: bool,
    /// Tries after one that failed; absent: none.
    pub retry: Option<SourceRetryConfig>,
    /// Answers that are kept; absent: none.
    pub cache: Option<SourceCacheConfig>,
    /// The circuit breaker.
    #[serde(default)]
    pub breaker: SourceBreakerConfig,
    /// Calls that may be under way; one more waits for nobody and is not made.
    #[serde(default = "max_in_flight")]
    pub max_in_flight: usize,
}

/// `retry` of a source: for methods that may be repeated (RFC 9110 §9.2.2), when there was no connection, it broke, or the
/// answer was 502, 503 or 504; within the source's `timeout`, and at most every fifth call of a busy source.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRetryConfig {
    /// The tries after the first.
    pub attempts: u32,
    /// The pause before the second try; each later one is twice as long.
    #[serde(default = "backoff")]
    pub backoff: Span,
}

/// `cache` of a source: successful answers are kept by what is used of the request, its arguments and forwarded headers.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceCacheConfig {
    /// How long an answer is as good as a new one.
    pub ttl: Span,
    /// How long after that it is still given, while a new one is fetched beside.
    #[serde(default)]
    pub stale_while_revalidate: Span,
    /// How long after `ttl` it still stands in for one that fails.
    #[serde(default)]
    pub stale_if_error: Span,
}

/// `breaker` of a source: after so many failures it is not called for a while.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceBreakerConfig {
    /// Failures in the window that open it: no connection, no answer in time, a broken one, 502, 503, 504.
    #[serde(default = "failures")]
    pub failures: u32,
    /// The window.
    #[serde(default = "window")]
    pub window: Span,
    /// How long it stays open.
    #[serde(default = "open_for")]
    pub open_for: Span,
    /// Trial calls while half open.
    #[serde(default = "half_open_requests")]
    pub half_open_requests: u32,
}

impl Default for SourceBreakerConfig {
    fn default() -> Self {
        Self { failures: failures(), window: window(), open_for: open_for(), half_open_requests: half_open_requests() }
    }
}

/// `[[aggregation.endpoints]]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// Served under `/data`.
    pub path: String,
    /// For all steps together.
    #[serde(default = "endpoint_timeout")]
    pub timeout: Span,
    /// Whether a token is needed.
    #[serde(default)]
    pub auth: EndpointAuth,
    /// The calls.
    pub steps: Vec<StepConfig>,
    /// jq that makes the answer; absent: `.results`.
    pub response: Option<String>,
}

/// Whether an endpoint needs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndpointAuth {
    /// Anybody.
    None,
    /// Looked at when sent; a bad one is refused.
    Optional,
    /// Needed.
    #[default]
    Required,
}

/// One step of an endpoint.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepConfig {
    /// The source to call.
    pub source: String,
    /// The name of its result; absent: the source's.
    #[serde(rename = "as")]
    pub name: Option<String>,
    /// Whether the endpoint fails without it.
    #[serde(default)]
    pub required: bool,
    /// Results that must be there first.
    #[serde(default)]
    pub after: Vec<String>,
    /// Arguments: jq over `{path, query, headers, results, item}`.
    #[serde(default, rename = "with")]
    pub arguments: BTreeMap<String, String>,
    /// Headers of the request: jq over the same; one that is null is not sent.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// jq: the request's body; absent: none.
    pub body: Option<String>,
    /// jq: whether the step runs at all; when false or null it is skipped, and nothing is missing.
    pub when: Option<String>,
    /// The result when the step fails; a required step that has one does not end the endpoint.
    pub fallback: Option<serde_json::Value>,
    /// jq: one call for each of its outputs.
    pub for_each: Option<String>,
    /// How elements of `for_each` are put together; absent: each has a call of its own.
    pub batch: Option<BatchConfig>,
    /// Calls of `for_each` at a time.
    #[serde(default = "concurrency")]
    pub concurrency: usize,
}

/// `[[aggregation.rulesets]]`: rules that `/data/transform` knows by name.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesetConfig {
    /// The name.
    pub name: String,
    /// The rules, as in the body of `/data/transform`.
    pub rules: Vec<serde_json::Value>,
}

const fn line_limit() -> ByteSize {
    ByteSize::mib(1)
}
fn get() -> String {
    "GET".to_owned()
}
const fn source_timeout() -> Span {
    Span::secs(2)
}
const fn endpoint_timeout() -> Span {
    Span::secs(5)
}
const fn failures() -> u32 {
    5
}
const fn window() -> Span {
    Span::secs(30)
}
const fn open_for() -> Span {
    Span::secs(10)
}
const fn half_open_requests() -> u32 {
    1
}
const fn max_in_flight() -> usize {
    1024
}
const fn backoff() -> Span {
    Span::millis(25)
}
const fn concurrency() -> usize {
    8
}
