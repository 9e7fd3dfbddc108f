//! What runs of a configuration, and how another takes its place: compiled beside, then swapped at once. A request keeps
//! what it began with; sources, workers and databases that stay the same go on as they are.

use std::{collections::HashSet, sync::Arc};

use super::{
    adapters::{
        compile::compile,
        evaluation::{WorkerCommand, WorkerPool},
        http::{Router, UseCases},
        jaq::Jaq,
        source::{Beside, DEFAULT, Databases, HttpSources},
    },
    application::{aggregate::Aggregate, run_endpoint::RunEndpoint, transform::Transform},
    config::{AggregationConfig, EvaluationConfig},
    graphql,
    start::{AskedDatabase, check},
};
use crate::{
    kernel::{Clock, SettingFault},
    platform::readonly::ReadOnly,
};

/// What stays, however often the configuration is read again.
pub(super) struct Ground {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) databases: Vec<AskedDatabase>,
    pub(super) beside: Beside,
    pub(super) worker: WorkerCommand,
}

/// What runs of one configuration.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) use_cases: Arc<UseCases>,
    pub(super) graphql: Option<Arc<graphql::Service>>,
    pub(super) workers: Arc<WorkerPool>,
    evaluation: EvaluationConfig,
    databases: Databases,
    sources: HttpSources,
}

impl Ground {
    /// Compiles the configuration beside what ran `before`, or tells every fault. Nothing is called and nothing is started.
    pub(super) fn build(
        &self,
        config: &AggregationConfig,
        before: Option<&Running>,
    ) -> Result<Running, Vec<SettingFault>> {
        let faults = check(config);
        if !faults.is_empty() {
            return Err(faults);
        }
        let catalogue = Arc::new(compile(config, &Jaq)?);
        let known = before.map(|before| before.databases.clone()).unwrap_or_default();
        let databases = asked(config, &self.databases, known)?;
        let workers = before.filter(|before| before.evaluation == config.evaluation);
        let workers = workers.map_or_else(
            || Arc::new(WorkerPool::new(self.worker.clone(), &config.evaluation)),
            |before| Arc::clone(&before.workers),
        );
        let sources = before.map(|before| &before.sources);
        let sources = HttpSources::new(config, Arc::clone(&self.clock), &databases, self.beside.clone(), sources);
        let caller = Arc::new(sources.clone());
        let graphql = graphql::Service::start(config, &catalogue, caller.clone());
        let use_cases = Arc::new(UseCases {
            aggregate: Aggregate {
                catalogue: Arc::clone(&catalogue),
                caller: caller.clone(),
                clock: Arc::clone(&self.clock),
            },
            endpoints: RunEndpoint { caller, clock: Arc::clone(&self.clock) },
            transform: Transform {
                catalogue: Arc::clone(&catalogue),
                evaluator: workers.clone(),
                clock: Arc::clone(&self.clock),
                output_limit: config.evaluation.output_limit.as_usize(),
                line_limit: config.line_limit.as_usize(),
            },
            router: Router::new(&catalogue),
            catalogue,
        });
        Ok(Running { use_cases, graphql, workers, evaluation: config.evaluation.clone(), databases, sources })
    }
}

/// The databases that sources ask; those that are `known` stay open.
pub(super) fn asked(
    config: &AggregationConfig,
    databases: &[AskedDatabase],
    mut known: Databases,
) -> Result<Databases, Vec<SettingFault>> {
    let sources = config.sources.iter().filter(|source| source.sql.is_some());
    let names: HashSet<&str> = sources.map(|source| source.database.as_deref().unwrap_or(DEFAULT)).collect();
    known.retain(|name, _| names.contains(name.as_str()));
    for database in databases.iter().filter(|database| names.contains(database.name)) {
        if !known.contains_key(database.name) {
            let wrong = |fault| vec![SettingFault::new("aggregation.sources", format!("{}: {fault}", database.name))];
            let opened = ReadOnly::new(&database.url, database.max_connections).map_err(wrong)?;
            known.insert(database.name.to_owned(), Arc::new(opened));
        }
    }
    Ok(known)
}
