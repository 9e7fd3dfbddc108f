//! What a request meets on its way, beside the route itself: every policy of the route and of where it leads.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::modules::gateway::{
    adapters::{
        compile::Compiled,
        route::{Destination, Route},
    },
    config::{
        DeprecatedConfig, GatewayConfig, HeaderRules, MirrorConfig, RateLimitConfig, RouteCacheConfig, RouteConfig,
        SplitPart,
    },
};

/// What of an upstream's settings says how a request is treated. Its TLS may hold a key and is not told.
const OF_UPSTREAM: [&str; 16] = [
    "name",
    "protocol",
    "balance",
    "hash_on",
    "hash_balance_factor",
    "connect_timeout",
    "timeout",
    "idle_timeout",
    "max_in_flight",
    "retry",
    "hedge",
    "breaker",
    "health",
    "outlier",
    "panic_percent",
    "slow_start",
];

/// The policies of a route, as they were configured.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Policies {
    /// Every limit, with its pace and mode.
    limits: Vec<RateLimitConfig>,
    /// Protocols that a connection may change to.
    upgrade: Vec<String>,
    cache: Option<RouteCacheConfig>,
    /// The upstreams that share the requests.
    split: Vec<SplitPart>,
    /// What keeps a client at one of them.
    sticky: Option<String>,
    mirror: Option<MirrorConfig>,
    request_schema: Option<String>,
    deprecated: Option<DeprecatedConfig>,
    /// `false`: answers are never compressed.
    compression: Option<bool>,
    request_headers: Option<HeaderRules>,
    response_headers: Option<HeaderRules>,
    /// How each upstream that may be asked is asked: its times, retries, hedges and what protects it.
    upstreams: Vec<Json>,
}

/// The policies of a route; `own` is its configuration, unless it is built in.
pub(super) fn of(route: &Route, own: Option<&RouteConfig>, compiled: &Compiled, config: &GatewayConfig) -> Policies {
    let limit = own.and_then(|own| own.rate_limit.as_ref()).unwrap_or(&config.rate_limit);
    let limits = if route.limit.is_some() { limit.limits().to_vec() } else { Vec::new() };
    let upstreams = destinations(route, own, compiled);
    let upstreams = upstreams.into_iter().map(|number| told(&compiled.upstreams[number].settings)).collect();
    let Some(own) = own else { return Policies { limits, upstreams, ..Policies::default() } };
    Policies {
        limits,
        upgrade: own.upgrade.clone(),
        cache: own.cache.clone(),
        split: own.split.clone(),
        sticky: own.sticky.clone(),
        mirror: own.mirror.clone(),
        request_schema: own.request_schema.clone(),
        deprecated: own.deprecated.clone(),
        compression: own.compression,
        request_headers: some(&own.request_headers),
        response_headers: some(&own.response_headers),
        upstreams,
    }
}

/// The upstreams that a request of this route may go to.
pub(super) fn destinations(route: &Route, own: Option<&RouteConfig>, compiled: &Compiled) -> Vec<usize> {
    let Destination::Upstream(number) = route.to else { return Vec::new() };
    let parts = own.map_or(&[][..], |own| &own.split);
    if parts.is_empty() {
        return vec![number];
    }
    let named = |part: &SplitPart| compiled.upstreams.iter().position(|upstream| upstream.name == part.upstream);
    parts.iter().filter_map(named).collect()
}

fn some(rules: &HeaderRules) -> Option<HeaderRules> {
    (!rules.set.is_empty() || !rules.remove.is_empty()).then(|| rules.clone())
}

fn told(settings: &Json) -> Json {
    let members = OF_UPSTREAM.iter().filter_map(|name| Some(((*name).to_owned(), settings.get(name)?.clone())));
    members.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
}
