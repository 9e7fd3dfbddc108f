//! From the configuration to what requests meet: routes, limits, upstreams. Every fault is told at once.

mod cache;
mod headers;
mod issuers;
mod protocol;
mod routes;
mod shaping;
mod upgrade;
mod upstreams;

use std::{sync::Arc, time::Instant};

use actix_web::http::header::HeaderValue;

use super::{
    issuers::Issuer,
    limiter::Tallies,
    limits::{Limits, MOST_POLICIES},
    route::{Destination, HeaderChanges, PathRule, Route, Shaping},
    table::Table,
    upstream::Upstream,
};
use crate::{
    kernel::{Clock, Random, SettingFault},
    modules::gateway::{
        Placement, RoleRoute,
        config::{GatewayConfig, RateLimitSetting, RouteAuth},
        domain::path::canonical,
    },
};

/// What the configuration compiles to.
pub(super) struct Compiled {
    pub(super) table: Table,
    pub(super) upstreams: Vec<Arc<Upstream>>,
    pub(super) issuers: Vec<Arc<Issuer>>,
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
    /// When the gateway's own time began.
    pub(super) started: Instant,
    /// The upstreams of the configuration before; those that are as they were go on with their state.
    pub(super) before: &'a [Arc<Upstream>],
    /// The issuers of the configuration before.
    pub(super) issuers_before: &'a [Arc<Issuer>],
    /// What limits have decided so far.
    pub(super) tallies: &'a Tallies,
}

/// Compiles the configuration.
pub(super) fn compile(config: &GatewayConfig, around: &Surroundings<'_>) -> Result<Compiled, Vec<SettingFault>> {
    let mut compiler = Compiler { config, around, faults: Vec::new(), upstreams: Vec::new(), issuers: Vec::new() };
    compiler.check_general();
    compiler.check_cache();
    compiler.upstreams();
    compiler.issuers();
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
        Ok(table) => Ok(Compiled { table, upstreams: compiler.upstreams, issuers: compiler.issuers }),
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
    upstreams: Vec<Arc<Upstream>>,
    issuers: Vec<Arc<Issuer>>,
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
        if self.config.compression.as_ref().is_some_and(|compression| compression.codings.is_empty()) {
            self.fault("gateway.compression.codings", "expected br, zstd or gzip");
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

    fn default_limit(&mut self) -> Option<Arc<Limits>> {
        self.limit("gateway.rate_limit", "", "default", &self.config.rate_limit.clone())
    }

    /// `owner` is the route whose limit it is, or nothing for the gateway's own.
    fn limit(&mut self, key: &str, owner: &str, name: &str, setting: &RateLimitSetting) -> Option<Arc<Limits>> {
        let limits = setting.limits();
        let detail = match setting {
            RateLimitSetting::Switch(false) => return None,
            RateLimitSetting::Switch(true) => {
                "expected false, or a table such as { limit = \"60/minute\", per = \"client\" }".to_owned()
            }
            _ if limits.is_empty() || limits.len() > MOST_POLICIES => format!("expected 1 to {MOST_POLICIES} limits"),
            _ => match Limits::compile(owner, name, limits) {
                Ok(mut limits) => {
                    limits.count_in(self.around.tallies);
                    return Some(Arc::new(limits));
                }
                Err((number, fault)) => {
                    let place =
                        if let RateLimitSetting::Limits(_) = setting { format!("[{number}]") } else { String::new() };
                    self.fault(format!("{key}{place}.per"), fault.detail);
                    return None;
                }
            },
        };
        self.fault(key, detail);
        None
    }

    /// The paths of roles and of the application itself.
    fn built_in(&self, limit: Option<&Arc<Limits>>) -> Vec<Route> {
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
    limit: Option<&Arc<Limits>>,
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
        issuers: None,
        roles: Vec::new(),
        scopes: Vec::new(),
        limit: limit.cloned(),
        timeout: None,
        body_limit: around.body_limit,
        own_body_limit: false,
        upgrade: Vec::new(),
        cache: None,
        request_headers: HeaderChanges::default(),
        response_headers: HeaderChanges::default(),
        shaping: Shaping::default(),
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
