//! Starts the gateway: compiles the configuration, begins the health checks, hands out the middleware.

use std::{fmt, sync::Arc, time::Instant};

use actix_web::web;
use ipnet::IpNet;
use utoipa::OpenApi as _;

use super::{
    admin::{AdminApi, SharedHandle, list_upstreams},
    cache::{self, Cache, CacheApi},
    compile::{Compiled, Surroundings, compile},
    explain::{self, Explanation, RouteSummary},
    limit_views::list_limits,
    limiter::Tallies,
    live::{Ground, Live},
    middleware::GatewayMiddleware,
    reload::{Reload, Reloader, reload},
    views::list_routes,
};
use crate::{
    kernel::{Clock, Random, Role, SettingFault, StartError, SystemClock, units::ByteSize},
    modules::gateway::{GatewayConfig, Placement, RoleRoute, front_door, open_paths},
    platform::{
        breaker_news::BreakerNews, http::api_keys::ApiKeys, random::SystemRandom, shared_cache::SharedCache,
        shared_counts::SharedCounts, siblings::SiblingSigner, tokens::TokenVerifier,
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
    /// Tells roles in other processes that a request comes from here; absent: they are told nothing.
    pub signer: Option<SiblingSigner>,
    /// Whether the listener speaks TLS.
    pub secure: bool,
    /// What instances keep of answers for each other.
    pub shared_cache: Option<Arc<dyn SharedCache>>,
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
    live: Arc<Live>,
    admin_prefix: String,
    reloader: Arc<Reloader>,
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
        let cache = Cache::new(&parts.config.cache, parts.shared_cache, parts.clock.clone(), parts.random.clone());
        cache::hear(&cache);
        let ground = Ground {
            cache,
            tallies: Tallies::default(),
            body_limit: parts.body_limit,
            trusted_proxies: parts.trusted_proxies,
            roles: parts.roles,
            verifier: parts.verifier,
            api_keys: parts.api_keys,
            signer: parts.signer,
            started: parts.clock.monotonic(),
            clock: parts.clock,
            random: parts.random,
            scheme: if parts.secure { "https" } else { "http" },
            instances: parts.instances,
            admin_prefix: parts.config.admin_prefix.clone(),
            api_prefix: parts.config.api_prefix.clone(),
        };
        let live = Live::start(ground, parts.config).map_err(StartError::Settings)?;
        live.look_up_names().await;
        let admin_prefix = parts.config.admin_prefix.clone();
        Ok(Self { live: Arc::new(live), admin_prefix, reloader: Arc::default() })
    }

    /// The middleware to wrap around the application's router. Cheap.
    pub fn middleware(&self) -> GatewayMiddleware {
        GatewayMiddleware { live: self.live.clone() }
    }

    /// Puts another configuration into effect, or tells every fault and changes nothing. Requests under way end as they
    /// began. `admin_prefix` and `api_prefix` stay as they were at the start. Must be called within a runtime.
    /// Names of new upstreams are looked up first, for two seconds at most.
    pub async fn reload(&self, config: &GatewayConfig) -> Result<(), Vec<SettingFault>> {
        self.live.reload(config).await
    }

    /// Says who reads the configuration again for the administration; only the first word counts.
    pub fn reload_by(&self, reload: Arc<dyn Reload>) {
        let _ = self.reloader.0.set(reload);
    }

    /// Registers the administration.
    pub fn configure(&self, service: &mut web::ServiceConfig) {
        let data = web::Data::new(SharedHandle(self.live.clone()));
        let path = |name: &str| format!("{}/{name}", self.admin_prefix);
        let reloader = web::Data::from(self.reloader.clone());
        service
            .service(web::resource(path("upstreams")).app_data(data.clone()).route(web::get().to(list_upstreams)))
            .service(web::resource(path("limits")).app_data(data.clone()).route(web::get().to(list_limits)))
            .service(web::resource(path("routes")).app_data(data.clone()).route(web::get().to(list_routes)))
            .service(web::resource(path("reload")).app_data(reloader).route(web::post().to(reload)));
        let show = web::resource(path("cache")).app_data(data.clone()).route(web::get().to(cache::show_cache));
        let purge = web::resource(path("cache/purge")).app_data(data).route(web::post().to(cache::purge_cache));
        service.service(show).service(purge);
    }

    /// Ends the background tasks, and waits until they have.
    pub async fn stop(&self) {
        for task in self.live.end() {
            let _ = task.await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.live.end();
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
            started: Instant::now(),
            before: &[],
            issuers_before: &[],
            tallies: &Tallies::default(),
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
    document.merge(CacheApi::openapi());
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
