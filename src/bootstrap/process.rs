//! One process: the roles it plays, started, served, stopped.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_web::web;
use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use super::{
    RoleSet, aggregation, auth, gateway, inside::Inside, openapi::described, reload::Reloader, remote::RemoteRole,
    server, siblings, token_feed::TokenFeed,
};
use crate::{
    config::{Config, Loaded},
    kernel::{Clock, Principal, Random, Role, StartError, SystemClock},
    modules::auth::api::AuthApi,
    platform::{
        http::{
            HealthProbe,
            api_keys::{ApiKeySource, ApiKeys},
            operations::Operations,
        },
        random::SystemRandom,
        siblings::{SiblingSigner, SiblingVerifier},
        telemetry::{logs::LogGuard, metrics::Metrics},
        tokens::{SigningAlgorithm, TokenRules, TokenVerifier},
    },
};

/// What to serve.
#[derive(Debug)]
pub struct ServeOptions {
    /// The checked configuration.
    pub config: Config,
    /// What that was loaded from, to be read again.
    pub loaded: Loaded,
    /// The roles of this process.
    pub roles: RoleSet,
    /// The log, which outlives everything else.
    pub log: Arc<LogGuard>,
}

/// What every role of the process shares.
pub(super) struct Shared {
    pub(super) config: Arc<Config>,
    pub(super) roles: RoleSet,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) verifier: Arc<TokenVerifier>,
    pub(super) api_keys: Arc<ApiKeys>,
    /// Tells other processes of the installation that this is one; absent: they share no secret.
    pub(super) signer: Option<SiblingSigner>,
    /// Judges whether a request is from another; absent without a secret, and behind the gateway of this very process.
    pub(super) siblings: Option<Arc<SiblingVerifier>>,
    /// Set when the process is about to stop.
    pub(super) draining: Arc<AtomicBool>,
}

/// A process that serves.
pub struct Process {
    server: server::Server,
    draining: Arc<AtomicBool>,
    auth: auth::Placed,
    gateway: gateway::Placed,
    aggregation: aggregation::Placed,
    tasks: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts the roles and binds the listener. When this returns, requests are answered.
    pub async fn start(options: ServeOptions) -> Result<Self, StartError> {
        let faults = super::check(&options.config);
        if !faults.is_empty() {
            return Err(StartError::Settings(faults));
        }
        let metrics = Metrics::install().map_err(StartError::Failed)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let config = Arc::new(options.config);
        let rules = TokenRules {
            issuer: config.auth.issuer.clone(),
            audience: config.auth.tokens.audience.clone(),
            revocation_max_staleness: config.auth.tokens.revocation_max_staleness.get(),
        };
        let verifier = Arc::new(TokenVerifier::new(rules, clock.clone()));
        let shared = Arc::new(Shared {
            api_keys: Arc::new(ApiKeys::new(verifier.clone(), clock.clone())),
            verifier,
            random: Arc::new(SystemRandom),
            signer: siblings::signer(&config, &clock),
            siblings: siblings::verifier(&config, &options.roles, &clock),
            roles: options.roles,
            clock,
            config,
            draining: Arc::default(),
        });

        let auth = auth::Placed::start(&shared).await?;
        shared.api_keys.ask(Arc::new(KnownToAuth(auth.api())));
        let inside = Arc::new(Inside::new(shared.roles.clone(), shared.config.services.clone()));
        let aggregation = aggregation::Placed::start(&shared, &inside)?;
        let gateway = gateway::Placed::start(&shared).await?;
        let mut tasks = vec![tokio::spawn(metrics.clone().upkeep())];
        tasks.push(start_token_feed(&shared, &auth).await);

        let draining = shared.draining.clone();
        let operations = Arc::new(Operations {
            service: shared.roles.service(),
            probes: [auth.probes(), aggregation.probes(), vec![Arc::new(TokensKnown(shared.verifier.clone()))]]
                .concat(),
            services: services(&shared),
            draining: draining.clone(),
            metrics,
            log: options.log,
            openapi: shared.config.server.docs.then(|| ArcSwap::from_pointee(described(&shared.roles, &shared.config))),
            problems: super::checks::problems(),
            clock: shared.clock.clone(),
        });
        let local = [auth.routes(), aggregation.routes()].into_iter().flatten().collect();
        // Aggregation is not among those it asks.
        let asked = server::Routes {
            roles: auth.routes().into_iter().collect(),
            gateway: gateway::Placed::default(),
            operations: operations.clone(),
        };
        inside.answer_with(shared.clone(), asked);
        let reloader =
            Reloader::new(&options.loaded, &shared.roles, gateway.clone(), aggregation.clone(), operations.clone());
        gateway.reload_by(&reloader);
        tasks.extend(reloader.listen()?);
        let routes = server::Routes { roles: local, gateway: gateway.clone(), operations };
        let server = server::Server::bind(&shared, routes)?;
        Ok(Self { server, draining, auth, gateway, aggregation, tasks })
    }

    /// The address that requests are answered on.
    pub fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// Serves until a signal, then lets what is in flight finish. A second signal ends it at once.
    pub async fn run(self) -> Result<(), StartError> {
        let draining = self.draining;
        self.server.run_until_signal(move || draining.store(true, Ordering::Relaxed)).await?;
        self.gateway.stop().await;
        self.aggregation.stop();
        self.auth.stop().await;
        for task in self.tasks {
            task.abort();
        }
        Ok(())
    }
}

/// `auth`, as whoever judges an API key asks it.
struct KnownToAuth(Arc<dyn AuthApi>);

#[async_trait::async_trait]
impl ApiKeySource for KnownToAuth {
    async fn find(&self, digest: &str) -> Result<Option<Principal>, String> {
        self.0.api_key(digest).await.map_err(|error| error.to_string())
    }
}

/// The first look is taken before requests are answered; a remote `auth` that is not there yet is waited for while serving.
async fn start_token_feed(shared: &Shared, auth: &auth::Placed) -> JoinHandle<()> {
    let tokens = &shared.config.auth.tokens;
    let secret = tokens.secret.clone().filter(|_| tokens.algorithm == SigningAlgorithm::HS256);
    let mut feed = TokenFeed::new(auth.api(), shared.verifier.clone(), secret, shared.clock.clone());
    if let Err(error) = feed.refresh().await {
        tracing::warn!(event = "token_feed_waiting", %error);
    }
    tokio::spawn(feed.run())
}

/// The roles as `GET /health` shows them: local ones by their probes, remote ones by their own readiness.
fn services(shared: &Shared) -> Vec<Arc<dyn HealthProbe>> {
    let remote =
        |role: Role| -> Arc<dyn HealthProbe> { Arc::new(RemoteRole::new(role, shared.config.services.url(role))) };
    let local = |role: Role| -> Arc<dyn HealthProbe> { Arc::new(LocalRole(role)) };
    if !shared.roles.has(Role::Gateway) {
        return shared.roles.iter().map(local).collect();
    }
    super::compiled_in().iter().map(|role| if shared.roles.has(role) { local(role) } else { remote(role) }).collect()
}

/// A role of this very process: when it answers, it is there. Its dependencies are probes of their own.
struct LocalRole(Role);

#[async_trait::async_trait]
impl HealthProbe for LocalRole {
    fn name(&self) -> &'static str {
        self.0.as_str()
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Whether tokens can be judged: keys known, revocations fresh.
struct TokensKnown(Arc<TokenVerifier>);

#[async_trait::async_trait]
impl HealthProbe for TokensKnown {
    fn name(&self) -> &'static str {
        "tokens"
    }

    async fn check(&self) -> Result<(), String> {
        if self.0.is_ready() {
            Ok(())
        } else {
            Err("keys or revocations of auth are not known recently enough".to_owned())
        }
    }
}

/// Adds a role's routes to an application.
pub(super) type ConfigureRoutes = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;
