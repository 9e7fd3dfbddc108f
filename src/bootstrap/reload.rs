//! Reads the configuration again while the process serves: at SIGHUP, when a file changes, and when the administration asks.
//! What belongs to the gateway and to aggregation takes effect at once; what else changed is told, and waits for a restart.

use std::sync::Arc;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Mutex,
    task::JoinHandle,
};

use super::{RoleSet, aggregation, gateway, openapi::described};
use crate::{
    config::{self, Config, Fault, Loaded, Sources},
    kernel::StartError,
    platform::{http::operations::Operations, watch::FileWatch},
};

/// Settings of the gateway that only a start puts into effect: paths that the router and the documentation know, and how
/// much the cache may hold.
const FIXED: [&str; 4] = ["gateway.admin_prefix", "gateway.api_prefix", "gateway.cache", "gateway.reload"];

/// What came of reading the configuration again. Full keys.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) applied: Vec<String>,
    pub(super) needs_restart: Vec<String>,
}

/// Why nothing came of it.
#[derive(Debug)]
pub(super) enum Refusal {
    Faults(Vec<Fault>),
    Failed(String),
}

/// Reads the configuration again.
pub(super) struct Reloader {
    sources: Sources,
    roles: RoleSet,
    gateway: gateway::Placed,
    aggregation: aggregation::Placed,
    operations: Arc<Operations>,
    at_start: Config,
    in_effect: Mutex<Config>,
}

impl Reloader {
    pub(super) fn new(
        loaded: &Loaded,
        roles: &RoleSet,
        gateway: gateway::Placed,
        aggregation: aggregation::Placed,
        operations: Arc<Operations>,
    ) -> Arc<Self> {
        for outcome in ["applied", "refused"] {
            count(outcome, 0);
        }
        Arc::new(Self {
            sources: loaded.sources().clone(),
            roles: roles.clone(),
            gateway,
            aggregation,
            operations,
            at_start: loaded.config.clone(),
            in_effect: Mutex::new(loaded.config.clone()),
        })
    }

    /// Reads every layer again. All of it takes effect that can, or nothing.
    pub(super) async fn reload(&self) -> Result<Outcome, Refusal> {
        // One after the other; what is read last is what serves.
        let mut in_effect = self.in_effect.lock().await;
        let outcome = self.try_reload(&mut in_effect).await;
        match &outcome {
            Ok(outcome) => {
                count("applied", 1);
                tracing::info!(event = "config_reloaded", applied = outcome.applied.join(", "));
                if !outcome.needs_restart.is_empty() {
                    tracing::warn!(event = "config_needs_restart", keys = outcome.needs_restart.join(", "));
                }
            }
            Err(refusal) => {
                count("refused", 1);
                let told: Vec<String> = match refusal {
                    Refusal::Faults(faults) => faults.iter().map(ToString::to_string).collect(),
                    Refusal::Failed(why) => vec![why.clone()],
                };
                for fault in told {
                    tracing::error!(event = "config_reload_refused", fault);
                }
            }
        }
        outcome
    }

    async fn try_reload(&self, in_effect: &mut Config) -> Result<Outcome, Refusal> {
        let sources = self.sources.clone();
        let reading = tokio::task::spawn_blocking(move || config::load_checked(&sources, super::check));
        let loaded = reading.await.map_err(|error| Refusal::Failed(error.to_string()))?.map_err(Refusal::Faults)?;
        for warning in loaded.warnings() {
            tracing::warn!(event = "config_warning", %warning);
        }
        let refused = |faults| Refusal::Faults(loaded.locate(faults));
        let prepared = self.aggregation.prepare(&loaded.config).map_err(refused)?;
        let gateway_is_here = self.gateway.reload(&loaded.config).await.map_err(refused)?;
        self.aggregation.adopt(prepared);
        self.document(&loaded.config);
        let is_here = |key: &str| {
            let is_of = |section: &str, is_here: bool| key.starts_with(section) && is_here;
            is_of("gateway.", gateway_is_here) || is_of("aggregation.", self.aggregation.is_local())
        };
        let applied = config::changed_keys(in_effect, &loaded.config);
        let applied = applied.into_iter().filter(|key| is_here(key) && is_live(key)).collect();
        let needs_restart = config::changed_keys(&self.at_start, &loaded.config);
        let needs_restart = needs_restart.into_iter().filter(|key| !is_live(key)).collect();
        *in_effect = loaded.config;
        Ok(Outcome { applied, needs_restart })
    }

    /// Endpoints come and go, wherever the role runs; paths are those of the start.
    fn document(&self, config: &Config) {
        if let Some(document) = &self.operations.openapi {
            let config = Config { aggregation: config.aggregation.clone(), ..self.at_start.clone() };
            document.store(Arc::new(described(&self.roles, &config)));
        }
    }

    /// Listens for SIGHUP from now on, and watches the files where there are some and that is wanted.
    pub(super) fn listen(self: &Arc<Self>) -> Result<Vec<JoinHandle<()>>, StartError> {
        let hangup = signal(SignalKind::hangup())
            .map_err(|error| StartError::Failed(format!("cannot listen for signals: {error}")))?;
        let mut tasks = vec![tokio::spawn(on_signal(self.clone(), hangup))];
        let settings = &self.at_start.gateway.reload;
        let takes_any = self.gateway.is_local() || self.aggregation.is_local();
        if settings.watch && takes_any && !self.sources.files.is_empty() {
            match FileWatch::start(&self.sources.files) {
                Ok(watch) => tasks.push(tokio::spawn(on_change(self.clone(), watch))),
                Err(why) => tracing::warn!(event = "config_not_watched", %why),
            }
        }
        Ok(tasks)
    }
}

/// Whether a setting is one that its role takes while it serves.
fn is_live(key: &str) -> bool {
    let is_fixed = |fixed: &&str| key.strip_prefix(*fixed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    key.starts_with("aggregation.") || key.starts_with("gateway.") && !FIXED.iter().any(is_fixed)
}

async fn on_signal(reloader: Arc<Reloader>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        // What came of it was logged.
        let _ = reloader.reload().await;
    }
}

async fn on_change(reloader: Arc<Reloader>, mut watch: FileWatch) {
    loop {
        watch.changed(reloader.at_start.gateway.reload.settle.get()).await;
        let _ = reloader.reload().await;
    }
}

fn count(outcome: &'static str, by: u64) {
    metrics::counter!("config_reloads_total", "outcome" => outcome).increment(by);
}
