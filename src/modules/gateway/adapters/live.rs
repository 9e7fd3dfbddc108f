//! What serves at the moment, and how another configuration takes its place: compiled beside, then swapped at once. A
//! request takes what serves when it comes and keeps that to its end; parts that did not change go on with their state.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwap;
use futures_util::future::{join_all, join3};
use ipnet::IpNet;
use tokio::task::JoinHandle;

use super::{
    breakers,
    cache::Cache,
    compile::{Surroundings, compile},
    compression::Compression,
    dns::{self, Lookups},
    explain, health,
    limiter::{Limiter, Tallies},
    pipeline::Shared,
    policies::Cors,
    target::Target,
    upstream::Upstream,
    upstream_tls,
};
use crate::{
    kernel::{Clock, Random, SettingFault, units::ByteSize},
    modules::gateway::{GatewayConfig, Instances, RoleRoute, open_paths},
    platform::{http::api_keys::ApiKeys, siblings::SiblingSigner, tokens::TokenVerifier},
};

/// What stays as it is, however often the configuration is loaded anew.
pub(super) struct Ground {
    pub(super) body_limit: ByteSize,
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) roles: Vec<RoleRoute>,
    pub(super) verifier: Arc<TokenVerifier>,
    pub(super) api_keys: Arc<ApiKeys>,
    /// What limits have decided.
    pub(super) tallies: Tallies,
    /// What is kept of answers.
    pub(super) cache: Arc<Cache>,
    pub(super) signer: Option<SiblingSigner>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) instances: Instances,
    /// When the gateway's own time begins.
    pub(super) started: Instant,
    /// What clients speak with the listener: `http` or `https`.
    pub(super) scheme: &'static str,
    pub(super) admin_prefix: String,
    pub(super) api_prefix: String,
}

/// The running configuration.
pub(super) struct Live {
    ground: Ground,
    current: Arc<ArcSwap<Shared>>,
    checks: Mutex<Vec<Check>>,
    /// One configuration at a time: each builds on what the one before left.
    reloading: tokio::sync::Mutex<()>,
    /// Hears of breakers that opened at other instances.
    news: Option<JoinHandle<()>>,
}

/// What goes on beside the requests of one upstream: health checks, and lookups of names.
struct Check {
    upstream: Arc<Upstream>,
    task: JoinHandle<()>,
}

impl Live {
    /// Compiles the first configuration and begins its health checks.
    pub(super) fn start(ground: Ground, config: &GatewayConfig) -> Result<Self, Vec<SettingFault>> {
        let shared = Arc::new(ground.build(config, None)?);
        let checks = checks(Vec::new(), &shared);
        shared.issuers.iter().for_each(|issuer| issuer.begin());
        let current = Arc::new(ArcSwap::new(shared));
        let news = ground.instances.breakers.as_ref().map(|news| breakers::listen(&**news, current.clone()));
        Ok(Self { ground, current, checks: Mutex::new(checks), reloading: tokio::sync::Mutex::default(), news })
    }

    /// Looks names up for the first time, so that the first request finds targets.
    pub(super) async fn look_up_names(&self) {
        look_up_names(&self.current()).await;
    }

    /// What a request that comes now is served by.
    pub(super) fn current(&self) -> Arc<Shared> {
        self.current.load_full()
    }

    /// Takes another configuration, or none of it when it has faults. Where the administration and the aggregation role
    /// are served stays, as that is known elsewhere too. Names that were never looked up are, before it serves.
    pub(super) async fn reload(&self, config: &GatewayConfig) -> Result<(), Vec<SettingFault>> {
        let config = GatewayConfig {
            admin_prefix: self.ground.admin_prefix.clone(),
            api_prefix: self.ground.api_prefix.clone(),
            ..config.clone()
        };
        let _one = self.reloading.lock().await;
        let before = self.current.load_full();
        let next = Arc::new(self.ground.build(&config, Some(&before))?);
        look_up_names(&next).await;
        next.limiter.remember(config.rate_limit_keys);
        self.current.store(next.clone());
        for upstream in &next.upstreams {
            upstream.show_breaker();
        }
        for issuer in &next.issuers {
            issuer.begin();
        }
        let mut running = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        *running = checks(std::mem::take(&mut *running), &next);
        Ok(())
    }

    /// Ends the health checks; gives their tasks to wait for.
    pub(super) fn end(&self) -> Vec<JoinHandle<()>> {
        let checks: Vec<Check> = self.checks.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        let tasks: Vec<_> = checks.into_iter().map(|check| check.task).collect();
        if let Some(news) = &self.news {
            news.abort();
        }
        for task in &tasks {
            task.abort();
        }
        tasks
    }
}

impl Ground {
    fn build(&self, config: &GatewayConfig, before: Option<&Shared>) -> Result<Shared, Vec<SettingFault>> {
        let around = Surroundings {
            body_limit: self.body_limit.0,
            roles: &self.roles,
            open: &open_paths(config),
            clock: self.clock.clone(),
            random: self.random.clone(),
            started: self.started,
            before: before.map_or(&[], |before| &before.upstreams),
            issuers_before: before.map_or(&[], |before| &before.issuers),
            tallies: &self.tallies,
        };
        let compiled = compile(config, &around)?;
        let routes = compiled.table.routes().iter();
        let summaries = routes.map(|route| explain::summarise(route, &compiled, config)).collect();
        let limiter = before.map_or_else(
            || {
                let counts = self.instances.counts.clone();
                Arc::new(Limiter::new(config.rate_limit_keys, self.clock.clone(), counts))
            },
            |before| before.limiter.clone(),
        );
        for upstream in &compiled.upstreams {
            if let Some(news) = &self.instances.breakers {
                breakers::tell(upstream, news);
            }
        }
        let lookups = compiled.upstreams.iter().any(|upstream| !upstream.names.is_empty());
        let lookups = lookups.then(|| Lookups::new(&config.dns)).transpose();
        let lookups = lookups.map_err(|error| vec![SettingFault::new("gateway.dns", error)])?;
        Ok(Shared {
            table: compiled.table,
            upstreams: compiled.upstreams,
            issuers: compiled.issuers,
            summaries,
            limiter,
            cache: self.cache.clone(),
            verifier: self.verifier.clone(),
            api_keys: self.api_keys.clone(),
            signer: self.signer.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            cors: config.cors.as_ref().map(Cors::compile),
            security_headers: config.security_headers,
            scheme: self.scheme,
            compression: config.compression.as_ref().map(Compression::compile),
            lookups: lookups.map(Arc::new),
            clock: self.clock.clone(),
        })
    }
}

/// Looks names up that nothing is known of yet, so that the first request finds targets.
async fn look_up_names(shared: &Shared) {
    let Some(lookups) = &shared.lookups else { return };
    let names = shared.upstreams.iter().flat_map(|upstream| upstream.names.iter().map(move |name| (upstream, name)));
    let unknown = names.filter(|(upstream, name)| !upstream.targets[name.slots.clone()].iter().any(Target::is_present));
    join_all(unknown.map(|(upstream, name)| dns::first(upstream, name, lookups))).await;
}

/// The checks of these upstreams: those that run go on, others begin, and those of upstreams that are gone end.
fn checks(running: Vec<Check>, shared: &Shared) -> Vec<Check> {
    let upstreams = &shared.upstreams;
    let (mut kept, gone): (Vec<_>, Vec<_>) =
        running.into_iter().partition(|check| upstreams.iter().any(|upstream| Arc::ptr_eq(upstream, &check.upstream)));
    for check in gone {
        check.task.abort();
    }
    let has_work =
        |upstream: &Upstream| upstream.health.is_some() || !upstream.names.is_empty() || upstream.tls_files().is_some();
    for upstream in upstreams.iter().filter(|upstream| has_work(upstream)) {
        if !kept.iter().any(|check| Arc::ptr_eq(upstream, &check.upstream)) {
            kept.push(Check {
                upstream: upstream.clone(),
                task: tokio::spawn(beside(upstream.clone(), shared.lookups.clone())),
            });
        }
    }
    kept
}

/// What goes on beside the requests of an upstream, for ever.
async fn beside(upstream: Arc<Upstream>, lookups: Option<Arc<Lookups>>) {
    let names =
        upstream.names.iter().filter_map(|name| Some(dns::watch(upstream.clone(), name.clone(), lookups.clone()?)));
    join3(health::watch(upstream.clone()), upstream_tls::watch(upstream.clone()), join_all(names)).await;
}
