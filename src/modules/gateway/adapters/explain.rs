//! What a request would meet, for `vestibule route explain` and `vestibule route list`.

mod policies;

use actix_web::http::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::Serialize;

pub use self::policies::Policies;
use super::{
    compile::Compiled,
    route::{Destination, Route},
    table::Found,
};
use crate::modules::gateway::{
    config::{GatewayConfig, OWN_ISSUER, RouteAuth, RouteConfig},
    domain::{host::without_port, path::canonical},
};

/// One route, for people and scripts.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RouteSummary {
    /// The route's name; the role's for a built-in path.
    pub name: String,
    /// The path's pattern.
    pub path: String,
    /// Its methods; empty: all.
    pub methods: Vec<String>,
    /// Its hosts; empty: all.
    pub hosts: Vec<String>,
    /// `upstream catalog`, `role auth (local)` or `built in`.
    pub to: String,
    /// `none`, `optional` or `required`.
    pub auth: &'static str,
    /// Whose tokens are taken: `self` and names of other issuers.
    pub issuers: Vec<String>,
    /// The limit, such as `60/minute per client`; `None`: no limit.
    pub rate_limit: Option<String>,
}

/// What a request would meet.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The canonical path.
    pub path: String,
    /// The path that is forwarded.
    pub forwarded_path: Option<String>,
    /// The route; `None`: none.
    pub route: Option<RouteSummary>,
    /// The path's parameters, in order.
    pub parameters: Vec<String>,
    /// Any of these roles is needed.
    pub roles: Vec<String>,
    /// All of these scopes are needed.
    pub scopes: Vec<String>,
    /// The targets of the upstream, or of all parts of a split.
    pub targets: Vec<String>,
    /// To the end of the answer, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// The largest body, in bytes.
    pub body_limit: Option<u64>,
    /// What else it meets.
    #[serde(flatten)]
    pub policies: Policies,
    /// What the gateway would answer by itself, such as `404 no-route`.
    pub refused: Option<String>,
}

pub(super) fn summarise(route: &Route, compiled: &Compiled, config: &GatewayConfig) -> RouteSummary {
    let own = config_of(route, config);
    let setting = own.and_then(|own| own.rate_limit.as_ref()).unwrap_or(&config.rate_limit);
    let limits: Vec<String> =
        setting.limits().iter().map(|limit| format!("{} per {}", limit.limit, limit.per)).collect();
    let rate_limit = route.limit.is_some().then(|| limits.join(", "));
    RouteSummary {
        name: route.name.to_string(),
        path: route.pattern.to_string(),
        methods: route.methods.iter().flatten().map(|method| method.as_str().to_owned()).collect(),
        hosts: own.map(|own| own.hosts.clone()).unwrap_or_default(),
        to: match route.to {
            Destination::Open => "built in".to_owned(),
            Destination::Local(role) => format!("role {role} (local)"),
            Destination::Upstream(_) if own.is_some_and(|own| !own.split.is_empty()) => {
                let parts = own.iter().flat_map(|own| &own.split);
                let parts: Vec<_> = parts.map(|part| format!("{} {}%", part.upstream, part.percent)).collect();
                format!("split {}", parts.join(", "))
            }
            Destination::Upstream(number) => match &compiled.upstreams[number] {
                upstream if upstream.is_role => format!("role {} (remote)", upstream.name),
                upstream => format!("upstream {}", upstream.name),
            },
        },
        auth: match route.auth {
            RouteAuth::None => "none",
            RouteAuth::Optional => "optional",
            RouteAuth::Required => "required",
        },
        issuers: own.and_then(|own| own.issuers.clone()).unwrap_or_else(|| vec![OWN_ISSUER.to_owned()]),
        rate_limit,
    }
}

/// The route's configuration; `None`: it is built in.
fn config_of<'c>(route: &Route, config: &'c GatewayConfig) -> Option<&'c RouteConfig> {
    config.routes.iter().find(|own| *own.name == *route.name && *own.path == *route.pattern)
}

/// Follows a request as far as the table goes. `url` is a path or a whole URL.
pub(super) fn explain(
    compiled: &Compiled,
    config: &GatewayConfig,
    method: &str,
    url: &str,
    headers: &[(String, String)],
) -> Result<Explanation, String> {
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("{method:?} is no method"))?;
    let uri: actix_web::http::Uri = url.parse().map_err(|error| format!("{url:?} is no URL: {error}"))?;
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| format!("{name:?} is no header name"))?;
        let value = HeaderValue::try_from(value.as_str()).map_err(|_| format!("{value:?} is no header value"))?;
        map.append(name, value);
    }
    let host = map.get("host").and_then(|host| host.to_str().ok()).map(str::to_owned);
    let host = host.or_else(|| uri.authority().map(ToString::to_string)).unwrap_or_default();
    let mut explanation = Explanation {
        path: uri.path().to_owned(),
        forwarded_path: None,
        route: None,
        parameters: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        targets: Vec::new(),
        timeout_ms: None,
        body_limit: None,
        policies: Policies::default(),
        refused: None,
    };
    let path = match canonical(uri.path()) {
        Ok(path) => path,
        Err(fault) => {
            explanation.refused = Some(format!("400 malformed-request: {fault}"));
            return Ok(explanation);
        }
    };
    explanation.path = path.to_string();
    match compiled.table.find(&method, &path, without_port(&host), &map) {
        Found::Nothing => explanation.refused = Some("404 no-route".to_owned()),
        Found::WrongMethod(allowed) => {
            let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
            explanation.refused = Some(format!("405 method-not-allowed: {}", names.join(", ")));
        }
        Found::Route(route, parameters) => {
            explanation.forwarded_path = Some(route.forwarded_path(&path, &parameters).unwrap_or(path.to_string()));
            explanation.parameters = parameters.into_iter().map(str::to_owned).collect();
            explanation.roles.clone_from(&route.roles);
            explanation.scopes.clone_from(&route.scopes);
            explanation.timeout_ms = route.timeout.and_then(|time| u64::try_from(time.as_millis()).ok());
            explanation.body_limit = (route.to != Destination::Open).then_some(route.body_limit);
            let own = config_of(route, config);
            let upstreams = policies::destinations(route, own, compiled);
            let targets = upstreams.iter().flat_map(|number| &compiled.upstreams[*number].targets);
            explanation.targets = targets.map(|target| target.url.clone()).collect();
            explanation.targets.dedup();
            explanation.policies = policies::of(route, own, compiled, config);
            explanation.route = Some(summarise(route, compiled, config));
        }
    }
    Ok(explanation)
}
