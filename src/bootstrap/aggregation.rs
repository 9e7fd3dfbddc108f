//! Places the `aggregation` role: here, or behind the gateway's route to its URL.

use std::{process::ExitCode, sync::Arc};

use super::process::{ConfigureRoutes, Shared};
#[cfg(feature = "aggregation")]
use crate::config::{Config, DatabaseConfig};
#[cfg(feature = "aggregation")]
use crate::{
    kernel::Role,
    modules::aggregation::{Aggregation, AggregationParts, AskedDatabase},
    platform::shared_values::SharedValues,
};
use crate::{kernel::StartError, platform::http::HealthProbe};

/// The role as this process has it.
#[derive(Default)]
pub(super) struct Placed {
    #[cfg(feature = "aggregation")]
    local: Option<Aggregation>,
}

impl Placed {
    #[cfg_attr(
        not(feature = "aggregation"),
        expect(clippy::unnecessary_wraps, reason = "starts nothing without the role")
    )]
    pub(super) fn start(shared: &Shared) -> Result<Self, StartError> {
        #[cfg(feature = "aggregation")]
        if shared.roles.has(Role::Aggregation) {
            let clock = shared.clock.clone();
            let parts = AggregationParts {
                config: &shared.config.aggregation,
                clock,
                databases: databases(&shared.config),
                shared: values(shared)?,
                worker: None,
            };
            return Ok(Self { local: Some(Aggregation::start(parts)?) });
        }
        let _ = shared;
        Ok(Self::default())
    }

    pub(super) fn probes(&self) -> Vec<Arc<dyn HealthProbe>> {
        #[cfg(feature = "aggregation")]
        if let Some(local) = &self.local {
            return local.probes();
        }
        Vec::new()
    }

    pub(super) fn routes(&self) -> Option<ConfigureRoutes> {
        #[cfg(feature = "aggregation")]
        if let Some(local) = self.local.clone() {
            return Some(Arc::new(move |app| local.configure(app)));
        }
        None
    }

    pub(super) fn stop(&self) {
        #[cfg(feature = "aggregation")]
        if let Some(local) = &self.local {
            local.stop();
        }
    }
}

/// What sources may ask: the common database, and that of `auth` where it has one of its own. Asking is not what most
/// connections are for.
#[cfg(feature = "aggregation")]
fn databases(config: &Config) -> Vec<AskedDatabase> {
    let asked = |name, database: &DatabaseConfig| AskedDatabase {
        name,
        url: database.url.clone(),
        max_connections: (database.max_connections / 4).max(1),
    };
    let auth = config.auth.database.as_ref().unwrap_or(&config.database);
    vec![asked("default", &config.database), asked("auth", auth)]
}

/// What instances keep for each other: Redis where that is configured.
#[cfg(feature = "aggregation")]
fn values(shared: &Shared) -> Result<Option<Arc<dyn SharedValues>>, StartError> {
    #[cfg(feature = "redis")]
    if let Some(settings) = super::redis::settings(shared) {
        let values = crate::platform::redis::RedisValues::start(&settings, "source").map_err(super::redis::wrong)?;
        return Ok(Some(Arc::new(values)));
    }
    let _ = shared;
    Ok(None)
}

/// Runs the hidden command that evaluates programs from requests.
pub fn evaluation_worker() -> ExitCode {
    #[cfg(feature = "aggregation")]
    return crate::modules::aggregation::evaluation_worker();
    #[cfg(not(feature = "aggregation"))]
    ExitCode::FAILURE
}
