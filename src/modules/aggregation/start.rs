//! Puts the role together.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web;
use utoipa::OpenApi as _;

use super::{
    adapters::{
        compile::compile,
        evaluation::WorkerCommand,
        http::{self, Documented, Live},
        jaq::Jaq,
        source::Beside,
    },
    config::AggregationConfig,
    domain::template::UrlTemplate,
    graphql,
    running::{Ground, Running},
};
use crate::{
    kernel::{Clock, SettingFault, StartError},
    platform::http::{
        HealthProbe, ProblemType,
        client::{is_callable, is_forbidden_host},
        role_client::RoleClient,
    },
    platform::shared_values::SharedValues,
};

/// The problems that this role can answer with.
pub const PROBLEMS: &[&ProblemType] = http::PROBLEMS;

/// What the role is made of.
pub struct AggregationParts<'a> {
    /// `[aggregation]`.
    pub config: &'a AggregationConfig,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The databases that sources may ask.
    pub databases: Vec<AskedDatabase>,
    /// What instances keep for each other; `None`: nothing.
    pub shared: Option<Arc<dyn SharedValues>>,
    /// The other roles of the installation; `None`: sources cannot ask them.
    pub roles: Option<Arc<dyn RoleClient>>,
    /// How workers are started; `None`: this executable with its hidden command.
    pub worker: Option<WorkerCommand>,
}

/// A database that sources may ask.
#[derive(Debug, Clone)]
pub struct AskedDatabase {
    /// What sources call it.
    pub name: &'static str,
    /// `sqlite://FILE` or `postgres://…`.
    pub url: String,
    /// The most connections held open.
    pub max_connections: u32,
}

/// The running role. Cheap to clone.
#[derive(Clone)]
pub struct Aggregation {
    ground: Arc<Ground>,
    live: Arc<Live>,
    graphql: Arc<graphql::Live>,
    running: Arc<Mutex<Running>>,
}

/// Another configuration, compiled and not in effect yet.
pub struct Prepared(Running);

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared")
    }
}

impl Aggregation {
    /// Compiles the configuration. `Settings` when it has faults, `Failed` when this executable cannot be found. Nothing
    /// is called and no worker is started before a request needs it.
    pub fn start(parts: AggregationParts<'_>) -> Result<Self, StartError> {
        let AggregationParts { config, clock, databases, shared, roles, worker } = parts;
        let worker = match worker {
            Some(worker) => worker,
            None => WorkerCommand::current_executable()
                .map_err(|fault| StartError::Failed(format!("cannot find this executable: {fault}")))?,
        };
        let ground = Ground { clock, databases, beside: Beside { shared, roles }, worker };
        let running = ground.build(config, None).map_err(StartError::Settings)?;
        let live = Arc::new(Live::new(Arc::clone(&running.use_cases)));
        let graphql = Arc::new(graphql::Live::new(running.graphql.clone()));
        Ok(Self { ground: Arc::new(ground), live, graphql, running: Arc::new(Mutex::new(running)) })
    }

    /// Compiles another configuration beside the one that serves, or tells every fault. Sources that are the same in both
    /// keep their connections, breakers and what is kept of their answers.
    pub fn prepare(&self, config: &AggregationConfig) -> Result<Prepared, Vec<SettingFault>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.ground.build(config, Some(&running)).map(Prepared)
    }

    /// Puts it into effect for every request that comes from now on; those under way end as they began.
    pub fn adopt(&self, prepared: Prepared) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.live.swap(Arc::clone(&prepared.0.use_cases));
        self.graphql.store(prepared.0.graphql.clone());
        *running = prepared.0;
    }

    /// Registers the role's paths.
    pub fn configure(&self, app: &mut web::ServiceConfig) {
        http::configure(&self.live, app);
        graphql::configure(&self.graphql, app);
    }

    /// What has to be there for the role to be ready: nothing, sources may come and go.
    pub fn probes(&self) -> Vec<Arc<dyn HealthProbe>> {
        Vec::new()
    }

    /// Ends the workers. What is being evaluated still gets its answer.
    pub fn stop(&self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).workers.stop();
    }
}

/// Every fault of the role's settings, with its key.
pub fn check(config: &AggregationConfig) -> Vec<SettingFault> {
    let mut faults = compile(config, &Jaq).err().unwrap_or_default();
    for (index, source) in config.sources.iter().enumerate() {
        let key = || format!("aggregation.sources[{index}].url");
        let Ok(template) = UrlTemplate::parse(&source.url) else { continue };
        let authority = template.authority();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        if is_forbidden_host(authority) || is_forbidden_host(host) {
            faults.push(SettingFault::new(key(), "link-local and metadata addresses are never called"));
        } else if !is_callable(&format!("http://{authority}/")) {
            faults.push(SettingFault::new(key(), format!("{authority:?} is no host")));
        }
    }
    faults.extend(graphql::check(config));
    faults
}

/// The role's part of the OpenAPI document: what is built in, and the configured endpoints.
pub fn openapi(config: &AggregationConfig) -> utoipa::openapi::OpenApi {
    let mut document = Documented::openapi();
    for endpoint in &config.endpoints {
        let (path, item) = http::documented(endpoint);
        document.paths.paths.insert(path, item);
    }
    document.paths.paths.extend(graphql::documented(config));
    document
}
