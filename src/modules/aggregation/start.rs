//! Puts the role together.

use std::{collections::HashSet, sync::Arc};

use actix_web::web;
use utoipa::OpenApi as _;

use super::{
    adapters::{
        compile::compile,
        evaluation::{WorkerCommand, WorkerPool},
        http::{self, Documented, UseCases},
        jaq::Jaq,
        source::{DEFAULT, Databases, HttpSources},
    },
    application::{aggregate::Aggregate, run_endpoint::RunEndpoint, transform::Transform},
    config::AggregationConfig,
    domain::template::UrlTemplate,
    graphql,
};
use crate::{
    kernel::{Clock, SettingFault, StartError},
    platform::http::{
        HealthProbe, ProblemType,
        client::{is_callable, is_forbidden_host},
    },
    platform::{readonly::ReadOnly, shared_values::SharedValues},
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
    use_cases: Arc<UseCases>,
    workers: Arc<WorkerPool>,
    graphql: Option<Arc<graphql::Service>>,
}

impl Aggregation {
    /// Compiles the configuration. `Settings` when it has faults, `Failed` when this executable cannot be found. Nothing
    /// is called and no worker is started before a request needs it.
    pub fn start(parts: AggregationParts<'_>) -> Result<Self, StartError> {
        let AggregationParts { config, clock, databases, shared, worker } = parts;
        let faults = check(config);
        if !faults.is_empty() {
            return Err(StartError::Settings(faults));
        }
        let catalogue = Arc::new(compile(config, &Jaq).map_err(StartError::Settings)?);
        let worker = match worker {
            Some(worker) => worker,
            None => WorkerCommand::current_executable()
                .map_err(|fault| StartError::Failed(format!("cannot find this executable: {fault}")))?,
        };
        let workers = Arc::new(WorkerPool::new(worker, &config.evaluation));
        let databases = asked(config, databases)?;
        let caller = Arc::new(HttpSources::new(config, Arc::clone(&clock), &databases, shared));
        let graphql = graphql::Service::start(config, &catalogue, caller.clone());
        let use_cases = Arc::new(UseCases {
            aggregate: Aggregate {
                catalogue: Arc::clone(&catalogue),
                caller: caller.clone(),
                clock: Arc::clone(&clock),
            },
            endpoints: RunEndpoint { caller, clock: Arc::clone(&clock) },
            transform: Transform {
                catalogue: Arc::clone(&catalogue),
                evaluator: workers.clone(),
                clock,
                output_limit: config.evaluation.output_limit.as_usize(),
                line_limit: config.line_limit.as_usize(),
            },
            catalogue,
        });
        Ok(Self { use_cases, workers, graphql })
    }

    /// Registers the role's paths.
    pub fn configure(&self, app: &mut web::ServiceConfig) {
        http::configure(&self.use_cases, app);
        if let Some(graphql) = &self.graphql {
            graphql.configure(app);
        }
    }

    /// What has to be there for the role to be ready: nothing, sources may come and go.
    pub fn probes(&self) -> Vec<Arc<dyn HealthProbe>> {
        Vec::new()
    }

    /// Ends the workers. What is being evaluated still gets its answer.
    pub fn stop(&self) {
        self.workers.stop();
    }
}

/// The databases that sources ask.
fn asked(config: &AggregationConfig, databases: Vec<AskedDatabase>) -> Result<Databases, StartError> {
    let mut asked = Databases::new();
    let sources = config.sources.iter().filter(|source| source.sql.is_some());
    let names: HashSet<&str> = sources.map(|source| source.database.as_deref().unwrap_or(DEFAULT)).collect();
    for database in databases.into_iter().filter(|database| names.contains(database.name)) {
        let opened = ReadOnly::new(&database.url, database.max_connections);
        let opened = opened.map_err(|fault| StartError::Failed(format!("the {} database: {fault}", database.name)))?;
        asked.insert(database.name.to_owned(), Arc::new(opened));
    }
    Ok(asked)
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
