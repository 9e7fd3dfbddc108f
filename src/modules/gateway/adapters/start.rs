//! Starts the gateway: compiles the configuration, begins the health checks, hands out the middleware.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::web;
use futures_util::future::join_all;
use ipnet::IpNet;
use tokio::task::JoinHandle;
use utoipa::OpenApi as _;

use super::{
    admin::{AdminApi, SharedHandle, list_upstreams},
    breakers,
    compile::{Compiled, Surroundings, compile},
    compression::Compression,
    dns::{self, Lookups, Name},
    explain::{self, Explanation, RouteSummary},
    health,
    limiter::Limiter,
    middleware::GatewayMiddleware,
    pipeline::Shared,
    policies::Cors,
    upstream::Upstream,
};
use crate::{
    kernel::{Clock, Random, Role, SettingFault, StartError, SystemClock, units::ByteSize},
    modules::gateway::{GatewayConfig, Placement, RoleRoute, config::DnsConfig, front_door, open_paths},
    platform::{
        breaker_news::BreakerNews, http::api_keys::ApiKeys, random::SystemRandom, shared_counts::SharedCounts,
        tokens::TokenVerifier,
    },
};

/// What the instances of an installation share through Redis.
#[derive(Clone, Default)]
pub struct Instances {
    /// The counts of the limiter; absent: each instance counts for itself.
    pub counts: Option<Arc<dyn SharedCounts>>,
    /// News of circuit breakers; absent: each instance finds out for itself.
    pub breakers: Option<Arc<dyn BreakerNews>>,
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances")
            .field("counts", &self.counts.is_some())
            .field("breakers", &self.breakers.is_some())
            .finish()
    }
}

/// What the gateway is made of.
pub struct GatewayParts<'a> {
    /// Its configuration.
    pub config: &'a GatewayConfig,
    /// The largest request body, where a route does not say.
    pub body_limit: ByteSize,
    /// From these peers `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The public paths of the roles, and where each role is.
    pub roles: Vec<RoleRoute>,
    /// Verifies access tokens.
    pub verifier: Arc<TokenVerifier>,
    /// Verifies API keys.
    pub api_keys: Arc<ApiKeys>,
    /// What several instances share; by default nothing.
    pub instances: Instances,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

impl fmt::Debug for GatewayParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayParts").field("config", self.config).field("roles", &self.roles).finish_non_exhaustive()
    }
}

/// The running gateway.
pub struct Gateway {
    shared: Arc<Shared>,
    admin_prefix: String,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

impl Gateway {
    /// Compiles the configuration and begins the health checks. Must be called after the metrics recorder was installed:
    /// the gateway's metrics are registered here, once.
    pub async fn start(parts: GatewayParts<'_>) -> Result<Self, StartError> {
        let around = Surroundings {
            body_limit: parts.body_limit.0,
            roles: &parts.roles,
            open: &open_paths(parts.config),
            clock: parts.clock.clone(),
            random: parts.random.clone(),
        };
        let compiled = compile(parts.config, &around).map_err(StartError::Settings)?;
        let shared = Arc::new(Shared {
            table: compiled.table,
            upstreams: compiled.upstreams,
            targets: compiled.targets,
            limiter: Limiter::new(parts.config.rate_limit_keys, parts.clock.clone(), parts.instances.counts),
            verifier: parts.verifier,
            api_keys: parts.api_keys,
            trusted_proxies: parts.trusted_proxies,
            cors: parts.config.cors.as_ref().map(Cors::compile),
            security_headers: parts.config.security_headers,
            clock: parts.clock,
            compression: parts.config.compression.as_ref().map(Compression::compile),
        });
        let checked = shared.upstreams.iter().filter(|upstream| upstream.health.is_some());
        let mut tasks: Vec<_> = checked.map(|upstream| tokio::spawn(health::watch(upstream.clone()))).collect();
        tasks.extend(look_up_names(&shared.upstreams, &parts.config.dns).await?);
        tasks.extend(parts.instances.breakers.iter().map(|news| breakers::share(&shared.upstreams, news)));
        Ok(Self { shared, admin_prefix: parts.config.admin_prefix.clone(), tasks: Mutex::new(tasks) })
    }

    /// The middleware to wrap around the application's router. Cheap.
    pub fn middleware(&self) -> GatewayMiddleware {
        GatewayMiddleware { shared: self.shared.clone() }
    }

    /// Registers the administration.
    pub fn configure(&self, service: &mut web::ServiceConfig) {
        let data = web::Data::new(SharedHandle(self.shared.clone()));
        let path = format!("{}/upstreams", self.admin_prefix);
        service.service(web::resource(path).app_data(data).route(web::get().to(list_upstreams)));
    }

    /// Ends the background tasks, and waits until they have.
    pub async fn stop(&self) {
        for task in self.abort() {
            let _ = task.await;
        }
    }

    fn abort(&self) -> Vec<JoinHandle<()>> {
        let tasks: Vec<_> = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        tasks.iter().for_each(JoinHandle::abort);
        tasks
    }
}

/// Looks up the names of targets, the first time before requests are answered.
async fn look_up_names(upstreams: &[Arc<Upstream>], config: &DnsConfig) -> Result<Vec<JoinHandle<()>>, StartError> {
    let names = upstreams.iter().flat_map(|upstream| upstream.names.iter().map(move |name| (upstream, name)));
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let lookups = Lookups::new(config).map_err(|error| StartError::Failed(format!("gateway.dns: {error}")))?;
    let lookups = Arc::new(lookups);
    join_all(names.iter().map(|(upstream, name)| dns::first(upstream, name, &lookups))).await;
    let watch = |(upstream, name): &(&Arc<Upstream>, &Name)| {
        tokio::spawn(dns::watch((*upstream).clone(), (*name).clone(), lookups.clone()))
    };
    Ok(names.iter().map(watch).collect())
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.abort();
    }
}

/// The routes of a configuration, without anything running: for the command line.
pub struct RoutePlan<'a> {
    config: &'a GatewayConfig,
    compiled: Compiled,
}

impl fmt::Debug for RoutePlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoutePlan").finish_non_exhaustive()
    }
}

impl<'a> RoutePlan<'a> {
    /// Compiles the routes, or tells every fault.
    pub fn new(
        config: &'a GatewayConfig,
        body_limit: ByteSize,
        roles: &[RoleRoute],
    ) -> Result<Self, Vec<SettingFault>> {
        let around = Surroundings {
            body_limit: body_limit.0,
            roles,
            open: &open_paths(config),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        compile(config, &around).map(|compiled| Self { config, compiled })
    }

    /// Every route, built-in ones first.
    pub fn list(&self) -> Vec<RouteSummary> {
        let routes = self.compiled.table.routes().iter();
        routes.map(|route| explain::summarise(route, &self.compiled, self.config)).collect()
    }

    /// What a request would meet. `url` is a path or a whole URL; the error says what of the question cannot be read.
    pub fn explain(&self, method: &str, url: &str, headers: &[(String, String)]) -> Result<Explanation, String> {
        explain::explain(&self.compiled, self.config, method, url, headers)
    }
}

/// The administration's part of the OpenAPI document, at the prefix where it is served.
pub fn openapi(config: &GatewayConfig) -> utoipa::openapi::OpenApi {
    let mut document = AdminApi::openapi();
    let paths = std::mem::take(&mut document.paths.paths);
    let moved = paths.into_iter().map(|(path, item)| (path.replacen("/admin", &config.admin_prefix, 1), item));
    document.paths.paths = moved.collect();
    document
}

/// Every fault of the configuration, with its full key; empty: none.
pub fn check(config: &GatewayConfig) -> Vec<SettingFault> {
    let roles = front_door(config, |role| (role != Role::Gateway).then_some(Placement::Local));
    RoutePlan::new(config, ByteSize(u64::MAX), &roles).err().unwrap_or_default()
}
