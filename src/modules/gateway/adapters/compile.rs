//! From the configuration to what requests meet: routes, limits, upstreams. Every fault is told at once.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix_web::http::{
    Method,
    header::{HeaderName, HeaderValue},
};

use super::{
    limiter::Policy,
    route::{Destination, HeaderChanges, HeaderText, PathRule, Route},
    table::{Table, shape_of},
    target::Target,
    template::Template,
    upstream::{HashOn, Upstream},
};
use crate::{
    kernel::{Clock, Random, Role, SettingFault, units::Span},
    modules::gateway::{
        Placement, RoleRoute,
        config::{
            Balance, BreakerConfig, GatewayConfig, HeaderRules, RateLimitSetting, RouteAuth, RouteConfig, TargetConfig,
            UpstreamConfig,
        },
        domain::{host::HostPattern, path::canonical},
    },
};

/// Weighted turns are laid out in memory, so weights have a bound.
const MOST_WEIGHT: u32 = 1000;

/// What the configuration compiles to.
pub(super) struct Compiled {
    pub(super) table: Table,
    pub(super) upstreams: Vec<Arc<Upstream>>,
    /// How many targets there are in all.
    pub(super) targets: usize,
}

/// What the configuration is compiled with.
pub(super) struct Surroundings<'a> {
    /// The largest request body of routes that do not say.
    pub(super) body_limit: u64,
    pub(super) roles: &'a [RoleRoute],
    /// Paths that are served without any policy.
    pub(super) open: &'a [String],
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

/// Compiles the configuration.
pub(super) fn compile(config: &GatewayConfig, around: &Surroundings<'_>) -> Result<Compiled, Vec<SettingFault>> {
    let mut compiler = Compiler { config, around, faults: Vec::new(), targets: 0, upstreams: Vec::new() };
    compiler.check_general();
    compiler.upstreams();
    let default_limit = compiler.default_limit();
    let mut routes = compiler.built_in(default_limit.as_ref());
    let built_in = routes.len();
    for (number, route) in config.routes.iter().enumerate() {
        routes.extend(compiler.route(number, route, default_limit.as_ref()));
    }
    compiler.check_route_names();
    if !compiler.faults.is_empty() {
        return Err(compiler.faults);
    }
    match Table::compile(routes) {
        Ok(table) => Ok(Compiled { table, upstreams: compiler.upstreams, targets: compiler.targets }),
        Err((number, detail)) => {
            let key = format!("gateway.routes[{}].path", number.saturating_sub(built_in));
            Err(vec![SettingFault::new(key, detail)])
        }
    }
}

struct Compiler<'a> {
    config: &'a GatewayConfig,
    around: &'a Surroundings<'a>,
    faults: Vec<SettingFault>,
    targets: usize,
    upstreams: Vec<Arc<Upstream>>,
}

impl Compiler<'_> {
    fn fault(&mut self, key: impl Into<String>, detail: impl Into<String>) {
        self.faults.push(SettingFault::new(key, detail));
    }

    fn check_general(&mut self) {
        for (key, prefix) in [("admin_prefix", &self.config.admin_prefix), ("api_prefix", &self.config.api_prefix)] {
            let is_plain = prefix.len() > 1 && !prefix.ends_with('/') && !prefix.contains(['{', '}']);
            if !is_plain || canonical(prefix).as_deref() != Ok(prefix.as_str()) {
                self.fault(format!("gateway.{key}"), format!("expected a path such as \"/api\", found {prefix:?}"));
            }
        }
        let Some(cors) = &self.config.cors else { return };
        for (number, origin) in cors.origins.iter().enumerate() {
            let key = format!("gateway.cors.origins[{number}]");
            if origin == "*" && cors.credentials {
                self.fault(key, "`*` cannot be combined with credentials; name the origins");
            } else if origin != "*" && !is_origin(origin) {
                self.fault(key, format!("expected an origin such as \"https://app.example\", found {origin:?}"));
            }
        }
    }

    fn upstreams(&mut self) {
        let mut names = HashSet::new();
        for (number, upstream) in self.config.upstreams.iter().enumerate() {
            let key = format!("gateway.upstreams[{number}]");
            if !is_plain_name(&upstream.name) {
                self.fault(format!("{key}.name"), "expected letters, digits, `.`, `_` and `-`");
            }
            if upstream.name.parse::<Role>().is_ok() {
                self.fault(format!("{key}.name"), format!("`{}` is a role; take another name", upstream.name));
            }
            if !names.insert(upstream.name.as_str()) {
                self.fault(format!("{key}.name"), format!("there are two upstreams `{}`", upstream.name));
            }
            self.upstream(&key, upstream, false);
        }
        let mut placed = HashSet::new();
        for role in self.around.roles {
            if let (Placement::Remote(url), true) = (&role.placement, placed.insert(role.role)) {
                self.upstream(
                    &format!("services.{}", role.role),
                    &role_upstream(role.role, url, &self.config.breaker),
                    true,
                );
            }
        }
    }

    fn upstream(&mut self, key: &str, config: &UpstreamConfig, is_role: bool) {
        let before = self.faults.len();
        let mut targets = Vec::new();
        if config.targets.is_empty() {
            self.fault(format!("{key}.targets"), "expected at least one target");
        }
        for (number, target) in config.targets.iter().enumerate() {
            let place = if is_role { key.to_owned() } else { format!("{key}.targets[{number}]") };
            if !(1..=MOST_WEIGHT).contains(&target.weight) {
                self.fault(format!("{place}.weight"), format!("expected 1 to {MOST_WEIGHT}"));
            }
            match Target::parse(&target.url, target.weight, self.targets) {
                Ok(target) => targets.push(target),
                Err(fault) => self.fault(if is_role { place } else { format!("{place}.url") }, fault.detail),
            }
            self.targets += 1;
        }
        self.check_upstream(key, config);
        if self.faults.len() == before {
            let upstream = Upstream::new(config, targets, is_role, &self.around.clock, &self.around.random);
            self.upstreams.push(Arc::new(upstream));
        }
    }

    fn check_upstream(&mut self, key: &str, config: &UpstreamConfig) {
        match (config.balance, &config.hash_on) {
            (Balance::ConsistentHash, None) => {
                self.fault(
                    format!("{key}.hash_on"),
                    "consistent_hash needs client_ip, user, header:NAME or cookie:NAME",
                );
            }
            (_, Some(text)) if HashOn::parse(text).is_none() => {
                self.fault(format!("{key}.hash_on"), "expected client_ip, user, header:NAME or cookie:NAME");
            }
            _ => {}
        }
        let mut least_one: Vec<(&str, u64)> = vec![
            ("max_in_flight", config.max_in_flight as u64),
            ("breaker.failures", config.breaker.failures.into()),
            ("breaker.half_open_requests", config.breaker.half_open_requests.into()),
        ];
        if let Some(health) = &config.health {
            least_one.push(("health.healthy_after", health.healthy_after.into()));
            least_one.push(("health.unhealthy_after", health.unhealthy_after.into()));
            if canonical(&health.path).as_deref() != Ok(health.path.as_str()) {
                self.fault(format!("{key}.health.path"), "expected a path such as \"/health\"");
            }
        }
        if let Some(outlier) = &config.outlier {
            least_one.push(("outlier.consecutive_failures", outlier.consecutive_failures.into()));
            if outlier.max_ejected_percent > 100 {
                self.fault(format!("{key}.outlier.max_ejected_percent"), "expected 0 to 100");
            }
        }
        for (name, value) in least_one {
            if value == 0 {
                self.fault(format!("{key}.{name}"), "expected at least 1");
            }
        }
        let mut spans: Vec<(&str, Span)> = vec![
            ("connect_timeout", config.connect_timeout),
            ("timeout", config.timeout),
            ("idle_timeout", config.idle_timeout),
            ("breaker.window", config.breaker.window),
        ];
        spans.extend(
            config.health.iter().flat_map(|h| [("health.interval", h.interval), ("health.timeout", h.timeout)]),
        );
        for (name, span) in spans {
            if span.get() == Duration::ZERO {
                self.fault(format!("{key}.{name}"), "expected more than no time");
            }
        }
        let Some(retry) = &config.retry else { return };
        for (number, on) in retry.on.iter().enumerate() {
            let is_status = on.parse().is_ok_and(|status: u16| (502..=504).contains(&status));
            if !is_status && on != "connect" && on != "reset" {
                self.fault(format!("{key}.retry.on[{number}]"), "expected connect, reset, 502, 503 or 504");
            }
        }
        if retry.budget_percent > 100 {
            self.fault(format!("{key}.retry.budget_percent"), "expected 0 to 100");
        }
    }

    fn default_limit(&mut self) -> Option<Arc<Policy>> {
        self.limit("gateway.rate_limit", 0, "default", &self.config.rate_limit.clone())
    }

    fn limit(&mut self, key: &str, id: u64, name: &str, setting: &RateLimitSetting) -> Option<Arc<Policy>> {
        match setting {
            RateLimitSetting::Switch(false) => None,
            RateLimitSetting::Switch(true) => {
                self.fault(key, "expected false, or a table such as { limit = \"60/minute\", per = \"client\" }");
                None
            }
            RateLimitSetting::Limit(limit) => match Policy::compile(id, name, limit) {
                Ok(policy) => Some(Arc::new(policy)),
                Err(fault) => {
                    self.fault(format!("{key}.per"), fault.detail);
                    None
                }
            },
        }
    }

    /// The paths of roles and of the application itself.
    fn built_in(&self, limit: Option<&Arc<Policy>>) -> Vec<Route> {
        let mut routes = Vec::new();
        for prefix in self.around.open {
            routes.extend(
                beneath(prefix).map(|pattern| plain_route(prefix, &pattern, Destination::Open, None, self.around)),
            );
        }
        for role in self.around.roles {
            let to = match role.placement {
                Placement::Local => Destination::Local(role.role),
                Placement::Remote(_) => match self.upstream_number(role.role.as_str()) {
                    Some(number) => Destination::Upstream(number),
                    None => continue,
                },
            };
            for pattern in beneath(&role.prefix) {
                let mut route = plain_route(role.role.as_str(), &pattern, to, limit, self.around);
                if role.strip_prefix {
                    route.path = PathRule::Strip(role.prefix.len());
                }
                routes.push(route);
            }
        }
        routes
    }

    fn upstream_number(&self, name: &str) -> Option<usize> {
        self.upstreams.iter().position(|upstream| upstream.name == name)
    }

    /// Where `upstream = "name"` leads.
    fn destination(&self, name: &str) -> Option<Destination> {
        let is_local = |role: &RoleRoute| role.role.as_str() == name && matches!(role.placement, Placement::Local);
        if let Some(role) = self.around.roles.iter().find(|role| is_local(role)) {
            return Some(Destination::Local(role.role));
        }
        self.upstream_number(name).map(Destination::Upstream)
    }

    fn route(&mut self, number: usize, config: &RouteConfig, default: Option<&Arc<Policy>>) -> Option<Route> {
        let before = self.faults.len();
        let key = |name: &str| format!("gateway.routes[{number}].{name}");
        if !is_plain_name(&config.name) {
            self.fault(key("name"), "expected letters, digits, `.`, `_` and `-`");
        }
        let parameters = self.pattern(&key("path"), &config.path);
        let to = self.destination(&config.upstream);
        // An upstream that is there but has faults of its own is not missing.
        let is_named = self.config.upstreams.iter().any(|upstream| upstream.name == config.upstream);
        if to.is_none() && !is_named {
            self.fault(key("upstream"), format!("there is no upstream and no role `{}`", config.upstream));
        }
        let limit = match &config.rate_limit {
            None => default.cloned(),
            Some(own) => self.limit(&key("rate_limit"), number as u64 + 1, &config.name, own),
        };
        if config.auth == RouteAuth::None && !(config.roles.is_empty() && config.scopes.is_empty()) {
            self.fault(key("auth"), "roles and scopes need auth = \"required\" or \"optional\"");
        }
        if config.timeout.is_some_and(|timeout| timeout.get() == Duration::ZERO) {
            self.fault(key("timeout"), "expected more than no time");
        }
        let methods = self.methods(&key("methods"), config.methods.as_deref());
        let hosts = self.hosts(&key("hosts"), &config.hosts);
        let headers = self.conditions(&key("headers"), config);
        let path = self.path_rule(number, config, &parameters);
        let request_headers = self.header_changes(&key("request_headers"), &config.request_headers, &parameters);
        let response_headers = self.header_changes(&key("response_headers"), &config.response_headers, &parameters);
        let to = to.filter(|_| self.faults.len() == before)?;
        Some(Route {
            name: config.name.as_str().into(),
            pattern: config.path.as_str().into(),
            methods,
            hosts,
            headers,
            to,
            path,
            auth: config.auth,
            roles: config.roles.clone(),
            scopes: config.scopes.clone(),
            limit,
            timeout: config.timeout.map(Span::get),
            body_limit: config.body_limit.map_or(self.around.body_limit, |limit| limit.0),
            own_body_limit: config.body_limit.is_some(),
            request_headers,
            response_headers,
        })
    }

    /// Checks a route's path; its parameters' names.
    fn pattern(&mut self, key: &str, path: &str) -> Vec<String> {
        let (shape, parameters) = shape_of(path);
        if let Err(error) = matchit::Router::new().insert(shape.clone(), ()) {
            self.fault(key, error.to_string());
            return parameters;
        }
        let literal = shape.replace(['{', '}', '*'], "");
        if canonical(&literal).as_deref() != Ok(literal.as_str()) {
            self.fault(
                key,
                "expected a canonical path: from /, without empty, `.` or `..` segments, encoded where needed",
            );
        }
        let prefixes = self.around.open.iter().chain(self.around.roles.iter().map(|role| &role.prefix));
        let built_in = prefixes.into_iter().find(|prefix| is_beneath(path, prefix)).cloned();
        if let Some(prefix) = built_in {
            self.fault(key, format!("`{prefix}` is built in, and built-in paths win; take another path"));
        }
        parameters
    }

    fn methods(&mut self, key: &str, names: Option<&[String]>) -> Option<Vec<Method>> {
        let names = names?;
        if names.is_empty() {
            self.fault(key, "expected at least one method; leave the key away for all");
        }
        let mut methods = Vec::new();
        for (number, name) in names.iter().enumerate() {
            match Method::from_bytes(name.as_bytes()) {
                Ok(method) if !name.bytes().any(|byte| byte.is_ascii_lowercase()) && name != "CONNECT" => {
                    methods.push(method);
                }
                _ => {
                    self.fault(
                        format!("{key}[{number}]"),
                        format!("expected a method such as \"GET\", found {name:?}"),
                    );
                }
            }
        }
        Some(methods)
    }

    fn hosts(&mut self, key: &str, names: &[String]) -> Vec<HostPattern> {
        let mut hosts = Vec::new();
        for (number, name) in names.iter().enumerate() {
            match HostPattern::parse(name) {
                Ok(host) => hosts.push(host),
                Err(fault) => self.fault(format!("{key}[{number}]"), fault.detail),
            }
        }
        hosts
    }

    fn conditions(&mut self, key: &str, config: &RouteConfig) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        for (name, value) in &config.headers {
            match (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
                (Ok(name), Ok(value)) => headers.push((name, value)),
                _ => self.fault(format!("{key}.{name}"), "expected a header's name and value"),
            }
        }
        headers
    }

    fn path_rule(&mut self, number: usize, config: &RouteConfig, parameters: &[String]) -> PathRule {
        let key = |name: &str| format!("gateway.routes[{number}].{name}");
        match (&config.strip_prefix, &config.rewrite) {
            (None, None) => PathRule::Keep,
            (Some(_), Some(_)) => {
                self.fault(key("rewrite"), "strip_prefix and rewrite exclude each other");
                PathRule::Keep
            }
            (Some(prefix), None) => {
                if prefix.ends_with('/') || prefix.contains('{') || !is_beneath(&config.path, prefix) {
                    self.fault(
                        key("strip_prefix"),
                        "expected whole segments that the path begins with, such as \"/catalog\"",
                    );
                }
                PathRule::Strip(prefix.len())
            }
            (None, Some(text)) => match Template::parse(text, parameters) {
                Ok(template) if text.starts_with('/') => {
                    let literal = text.replace(['{', '}', '*'], "");
                    if canonical(&literal).as_deref() != Ok(literal.as_str()) {
                        self.fault(key("rewrite"), "expected a canonical path");
                    }
                    PathRule::Rewrite(template)
                }
                Ok(_) => {
                    self.fault(key("rewrite"), "expected a path from /");
                    PathRule::Keep
                }
                Err(fault) => {
                    self.fault(key("rewrite"), fault.detail);
                    PathRule::Keep
                }
            },
        }
    }

    fn header_changes(&mut self, key: &str, rules: &HeaderRules, parameters: &[String]) -> HeaderChanges {
        let mut changes = HeaderChanges::default();
        for (number, name) in rules.remove.iter().enumerate() {
            match HeaderName::try_from(name.as_str()) {
                Ok(name) => changes.remove.push(name),
                Err(_) => self.fault(format!("{key}.remove[{number}]"), "expected a header's name"),
            }
        }
        for (name, text) in &rules.set {
            let place = format!("{key}.set.{name}");
            let Ok(header) = HeaderName::try_from(name.as_str()) else {
                self.fault(place, "expected a header's name");
                continue;
            };
            if matches!(header.as_str(), "content-length" | "transfer-encoding" | "connection" | "host") {
                self.fault(place, "this header belongs to the framing of the message");
                continue;
            }
            match (HeaderValue::try_from(text.as_str()), Template::parse(text, parameters)) {
                (Err(_), _) => self.fault(place, "a header's value has no line breaks or control characters"),
                (_, Err(fault)) => self.fault(place, fault.detail),
                (Ok(value), Ok(template)) => {
                    let ready = template.literal().is_some();
                    changes
                        .set
                        .push((header, if ready { HeaderText::Ready(value) } else { HeaderText::Template(template) }));
                }
            }
        }
        changes
    }

    fn check_route_names(&mut self) {
        let mut names = HashSet::new();
        for (number, route) in self.config.routes.iter().enumerate() {
            if !names.insert(route.name.as_str()) {
                let detail = format!("there are two routes `{}`", route.name);
                self.faults.push(SettingFault::new(format!("gateway.routes[{number}].name"), detail));
            }
        }
    }
}

/// A role that runs elsewhere, as an upstream with defaults.
fn role_upstream(role: Role, url: &str, breaker: &BreakerConfig) -> UpstreamConfig {
    UpstreamConfig {
        name: role.as_str().to_owned(),
        targets: vec![TargetConfig { url: url.to_owned(), weight: 1 }],
        balance: Balance::RoundRobin,
        hash_on: None,
        connect_timeout: Span::secs(1),
        // Hashing a password and fanning out take their time, and both have deadlines of their own.
        timeout: Span::secs(30),
        idle_timeout: Span::secs(60),
        max_in_flight: 1024,
        health: None,
        outlier: None,
        breaker: breaker.clone(),
        retry: None,
    }
}

/// The patterns of a prefix: itself, and all beneath it. Whole segments only: `/auth` is not above `/authors`.
fn beneath(prefix: &str) -> impl Iterator<Item = String> {
    [prefix.to_owned(), format!("{prefix}/"), format!("{prefix}/{{*rest}}")].into_iter()
}

/// Whether a pattern lies at or beneath a prefix.
fn is_beneath(pattern: &str, prefix: &str) -> bool {
    pattern.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn plain_route(
    name: &str,
    pattern: &str,
    to: Destination,
    limit: Option<&Arc<Policy>>,
    around: &Surroundings<'_>,
) -> Route {
    Route {
        name: name.into(),
        pattern: pattern.into(),
        methods: None,
        hosts: Vec::new(),
        headers: Vec::new(),
        to,
        path: PathRule::Keep,
        auth: RouteAuth::None,
        roles: Vec::new(),
        scopes: Vec::new(),
        limit: limit.cloned(),
        timeout: None,
        body_limit: around.body_limit,
        own_body_limit: false,
        request_headers: HeaderChanges::default(),
        response_headers: HeaderChanges::default(),
    }
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', ' ', '*']))
        && HeaderValue::try_from(text).is_ok()
}
