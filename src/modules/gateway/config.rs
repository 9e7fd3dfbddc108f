//! `[gateway]`: upstreams, routes and edge policies.

mod balancing;
mod cache;
mod issuers;
mod limits;
mod protocol;
mod reload;
mod shaping;

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer},
};

pub use cache::{CacheConfig, RouteCacheConfig};
pub use issuers::{IssuerConfig, OWN_ISSUER};
pub use protocol::{UpstreamProtocol, UpstreamTlsConfig};
pub use reload::ReloadConfig;

pub use self::{
    balancing::{AdaptiveCap, DnsConfig, HedgeConfig, MaxInFlight},
    limits::LimitMode,
    shaping::{Coding, CompressionConfig, DeprecatedConfig, MirrorConfig, SplitPart},
};
use crate::kernel::units::{ByteSize, Rate, Span};

/// `[gateway]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// The limit of routes that have none of their own; `false`: none.
    pub rate_limit: RateLimitSetting,
    /// The most limiter keys remembered at a time.
    pub rate_limit_keys: usize,
    /// Cross-origin resource sharing; absent: off.
    pub cors: Option<CorsConfig>,
    /// Whether security headers are added to answers.
    pub security_headers: bool,
    /// Compression of answers; absent: off.
    pub compression: Option<CompressionConfig>,
    /// Where the gateway's administration is served.
    pub admin_prefix: String,
    /// Where the aggregation role is served.
    pub api_prefix: String,
    /// How targets that are names are looked up.
    #[serde(default = "DnsConfig::usual")]
    pub dns: DnsConfig,
    /// When the configuration is read again by itself.
    #[serde(default)]
    pub reload: ReloadConfig,
    /// What the breaker of an upstream is where its own `breaker` table says nothing; the loader puts it there.
    pub breaker: BreakerConfig,
    /// `[gateway.cache]`.
    #[serde(default)]
    pub cache: CacheConfig,
    /// `[[gateway.issuers]]`.
    #[serde(default)]
    pub issuers: Vec<IssuerConfig>,
    /// `[[gateway.upstreams]]`.
    #[serde(default)]
    pub upstreams: Vec<UpstreamConfig>,
    /// `[[gateway.routes]]`.
    #[serde(default)]
    pub routes: Vec<RouteConfig>,
}

/// A limit, or `false`.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum RateLimitSetting {
    /// `false`: no limit.
    Switch(bool),
    /// A limit.
    Limit(RateLimitConfig),
    /// Several; a request must be within all of them.
    Limits(Vec<RateLimitConfig>),
}

impl RateLimitSetting {
    /// The limits that it names.
    pub fn limits(&self) -> &[RateLimitConfig] {
        match self {
            Self::Switch(_) => &[],
            Self::Limit(limit) => std::slice::from_ref(limit),
            Self::Limits(limits) => limits,
        }
    }
}

/// By hand, because a derived one cannot say which part of the table is wrong.
impl<'de> Deserialize<'de> for RateLimitSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SwitchOrLimit;

        impl<'de> Visitor<'de> for SwitchOrLimit {
            type Value = RateLimitSetting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a table such as { limit = \"100/minute\", per = \"client\" }, a list of such tables, or false",
                )
            }

            fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<RateLimitSetting, E> {
                Ok(RateLimitSetting::Switch(on))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<RateLimitSetting, A::Error> {
                RateLimitConfig::deserialize(MapAccessDeserializer::new(members)).map(RateLimitSetting::Limit)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<RateLimitSetting, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(RateLimitSetting::Limits)
            }
        }

        deserializer.deserialize_any(SwitchOrLimit)
    }
}

/// `rate_limit = { limit, per, pace, mode }`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimitConfig {
    /// No more than this in any window.
    pub limit: Rate,
    /// Whose requests are counted together: `client`, `ip`, `user`, `api_key`, `route` or `header:NAME`.
    #[serde(default = "client")]
    pub per: String,
    /// Smoothing on top: at this steady pace.
    pub pace: Option<Rate>,
    /// How instances share it: `exact` or `leased`.
    #[serde(default)]
    pub mode: LimitMode,
}

fn client() -> String {
    "client".to_owned()
}

/// `gateway.cors`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorsConfig {
    /// Origins that may call, exactly as browsers send them, or `*`.
    pub origins: Vec<String>,
    /// Whether with credentials.
    #[serde(default)]
    pub credentials: bool,
}

/// `[[gateway.upstreams]]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    /// The name routes use.
    pub name: String,
    /// Where it runs.
    pub targets: Vec<TargetConfig>,
    /// How a target is chosen.
    #[serde(default)]
    pub balance: Balance,
    /// What `consistent_hash` hashes: `client_ip`, `user`, `header:NAME` or `cookie:NAME`.
    pub hash_on: Option<String>,
    /// `consistent_hash` gives no target more than so many percent of its even share of the requests in flight; the key's
    /// next target gets the others. 0: no bound.
    #[serde(default = "hash_balance_factor")]
    pub hash_balance_factor: u32,
    /// Until a connection stands.
    #[serde(default = "one_second")]
    pub connect_timeout: Span,
    /// Until the response head.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// Between body bytes, either way.
    #[serde(default = "one_minute")]
    pub idle_timeout: Span,
    /// More than this at a time are refused; `adaptive`: more than it answers without getting slower.
    #[serde(default = "in_flight")]
    pub max_in_flight: MaxInFlight,
    /// Active health checks; absent: off.
    pub health: Option<HealthConfig>,
    /// Passive ejection; absent: off.
    pub outlier: Option<OutlierConfig>,
    /// The circuit breaker.
    #[serde(default)]
    pub breaker: BreakerConfig,
    /// Retries; absent: off.
    pub retry: Option<RetryConfig>,
    /// TLS to its targets, beyond what `https://` says.
    pub tls: Option<UpstreamTlsConfig>,
    /// What its targets speak.
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// Asking another target when one is slow; absent: off.
    pub hedge: Option<HedgeConfig>,
    /// When less than this share of the targets is available, all of them get requests; 0: never.
    #[serde(default)]
    pub panic_percent: u32,
    /// How long a target that came back takes to its full share; absent: none.
    pub slow_start: Option<Span>,
}

/// One target of an upstream.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// `http://host:port` or `https://…`; a path is put before the request's.
    #[serde(default)]
    pub url: String,
    /// The same, but for every address that the name leads to, looked up again and again.
    pub dns: Option<String>,
    /// A service such as `_http._tcp.example.org`: every place of its SRV records.
    pub srv: Option<String>,
    /// Its share of the traffic.
    #[serde(default = "one")]
    pub weight: u32,
}

/// How a target is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// The less busy of two drawn at random.
    LeastRequests,
    /// At random, by weight.
    Random,
    /// By a hash of the request, so that the same goes to the same.
    ConsistentHash,
}

/// `health`: active checks.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthConfig {
    /// Answers 2xx when healthy.
    pub path: String,
    /// Between checks.
    #[serde(default = "five_seconds")]
    pub interval: Span,
    /// For one check.
    #[serde(default = "one_second")]
    pub timeout: Span,
    /// Good checks in a row that bring a target back.
    #[serde(default = "two")]
    pub healthy_after: u32,
    /// Bad checks in a row that take a target out.
    #[serde(default = "three")]
    pub unhealthy_after: u32,
}

/// `outlier`: ejection by what requests meet.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutlierConfig {
    /// Failures in a row that eject a target.
    #[serde(default = "five")]
    pub consecutive_failures: u32,
    /// For how long.
    #[serde(default = "thirty_seconds")]
    pub ejection: Span,
    /// Never more than this share of the targets.
    #[serde(default = "fifty")]
    pub max_ejected_percent: u32,
    /// An answer that takes longer to its head is a failure too; absent: none is.
    pub latency: Option<Span>,
}

/// `breaker`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in the window that open it.
    #[serde(default = "five")]
    pub failures: u32,
    /// The window.
    #[serde(default = "thirty_seconds")]
    pub window: Span,
    /// How long it stays open.
    #[serde(default = "thirty_seconds")]
    pub open_for: Span,
    /// Trial requests while half open.
    #[serde(default = "one")]
    pub half_open_requests: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: five(), window: thirty_seconds(), open_for: thirty_seconds(), half_open_requests: one() }
    }
}

/// `retry`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// Tries after the first.
    #[serde(default = "two")]
    pub attempts: u32,
    /// What is tried again: `connect`, `reset`, or a status.
    #[serde(default = "retry_on")]
    pub on: Vec<String>,
    /// The first pause; doubled each time, with jitter.
    #[serde(default = "retry_backoff")]
    pub backoff: Span,
    /// Retries are at most this share of requests, and 3.
    #[serde(default = "twenty")]
    pub budget_percent: u32,
}

/// `[[gateway.routes]]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// For logs, metrics and `route explain`.
    pub name: String,
    /// matchit's syntax: `/catalog/{id}`, `/catalog/{*rest}`.
    pub path: String,
    /// Exactly these; absent: all.
    pub methods: Option<Vec<String>>,
    /// Exact names, or `*.example.com`; absent: all.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Header values that must be there.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// An upstream, or a role.
    #[serde(default)]
    pub upstream: String,
    /// Several upstreams, each with its share, instead of one.
    #[serde(default)]
    pub split: Vec<SplitPart>,
    /// Who comes to the same part of a split again: `cookie:NAME`, `user` or `client_ip`; absent: nobody.
    pub sticky: Option<String>,
    /// Copies for another upstream; absent: none.
    pub mirror: Option<MirrorConfig>,
    /// Taken off the path before it is forwarded.
    pub strip_prefix: Option<String>,
    /// The path that is forwarded; `{name}` are path parameters.
    pub rewrite: Option<String>,
    /// Whether a token is needed.
    #[serde(default)]
    pub auth: RouteAuth,
    /// Whose tokens are taken: names of `[[gateway.issuers]]`, and `self` for ours; absent: ours alone.
    pub issuers: Option<Vec<String>>,
    /// Any of these roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// All of these scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A limit of its own, or `false`; absent: the gateway's.
    pub rate_limit: Option<RateLimitSetting>,
    /// To the end of the answer.
    pub timeout: Option<Span>,
    /// The largest request body; absent: the server's.
    pub body_limit: Option<ByteSize>,
    /// Protocols that a connection may change to, such as `websocket`.
    #[serde(default)]
    pub upgrade: Vec<String>,
    /// What is kept of answers; absent: nothing.
    pub cache: Option<RouteCacheConfig>,
    /// A file with the JSON Schema that request bodies must keep to; absent: none.
    pub request_schema: Option<String>,
    /// Notices that the route will go; absent: it stays.
    pub deprecated: Option<DeprecatedConfig>,
    /// `false`: its answers are never compressed.
    pub compression: Option<bool>,
    /// Changes to the request's headers.
    #[serde(default)]
    pub request_headers: HeaderRules,
    /// Changes to the answer's headers.
    #[serde(default)]
    pub response_headers: HeaderRules,
}

/// Whether a route needs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RouteAuth {
    /// Nobody looks.
    #[default]
    None,
    /// Looked at when sent; a bad one is refused.
    Optional,
    /// Needed.
    Required,
}

/// `{ set = {…}, remove = […] }`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderRules {
    /// Set to these values; `{name}` is a path parameter.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Taken away.
    #[serde(default)]
    pub remove: Vec<String>,
}

const fn one() -> u32 {
    1
}
const fn two() -> u32 {
    2
}
const fn three() -> u32 {
    3
}
const fn five() -> u32 {
    5
}
const fn twenty() -> u32 {
    20
}
const fn fifty() -> u32 {
    50
}
const fn hash_balance_factor() -> u32 {
    125
}
const fn in_flight() -> MaxInFlight {
    MaxInFlight::Fixed(1024)
}
const fn one_second() -> Span {
    Span::secs(1)
}
const fn five_seconds() -> Span {
    Span::secs(5)
}
const fn ten_seconds() -> Span {
    Span::secs(10)
}
const fn thirty_seconds() -> Span {
    Span::secs(30)
}
const fn one_minute() -> Span {
    Span::secs(60)
}
const fn retry_backoff() -> Span {
    Span::millis(25)
}
fn retry_on() -> Vec<String> {
    ["connect", "reset", "502", "503", "504"].map(str::to_owned).to_vec()
}
