//! Places the `aggregation` role: here, or behind the gateway's route to its URL.

use std::{process::ExitCode, sync::Arc};

use super::{
    inside::Inside,
    process::{ConfigureRoutes, Shared},
};
use crate::config::Config;
#[cfg(feature = "aggregation")]
use crate::config::DatabaseConfig;
#[cfg(feature = "aggregation")]
use crate::{
    kernel::Role,
    modules::aggregation::{Aggregation, AggregationParts, AskedDatabase, PreparedConfiguration},
    platform::shared_values::SharedValues,
};
use crate::{
    kernel::{SettingFault, StartError},
    platform::http::HealthProbe,
};

/// The role as this process has it.
#[derive(Clone, Default)]
pub(super) struct Placed {
    #[cfg(feature = "aggregation")]
    local: Option<Aggregation>,
}

/// The role's part of another configuration, compiled.
#[derive(Default)]
pub(super) struct Prepared {
    #[cfg(feature = "aggregation")]
    next: Option<PreparedConfiguration>,
}

impl Placed {
    #[cfg_attr(
        not(feature = "aggregation"),
        expect(clippy::unnecessary_wraps, reason = "starts nothing without the role")
    )]
    pub(super) fn start(shared: &Shared, inside: &Arc<Inside>) -> Result<Self, StartError> {
        #[cfg(feature = "aggregation")]
        if shared.roles.has(Role::Aggregation) {
            let clock = shared.clock.clone();
            let parts = AggregationParts {
                config: &shared.config.aggregation,
                clock,
                databases: databases(&shared.config),
                shared: values(shared)?,
                roles: Some(inside.clone()),
                worker: None,
            };
            return Ok(Self { local: Some(Aggregation::start(parts)?) });
        }
        let _ = (shared, inside);
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

    /// Whether the role is here.
    #[cfg_attr(not(feature = "aggregation"), expect(clippy::unused_self, reason = "nothing is here without the role"))]
    pub(super) fn is_local(&self) -> bool {
        #[cfg(feature = "aggregation")]
        return self.local.is_some();
        #[cfg(not(feature = "aggregation"))]
        false
    }

    /// Compiles the role's part of another configuration; nothing is in effect yet.
    #[cfg_attr(
        not(feature = "aggregation"),
        expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "compiles nothing without the role")
    )]
    pub(super) fn prepare(&self, config: &Config) -> Result<Prepared, Vec<SettingFault>> {
        #[cfg(feature = "aggregation")]
        if let Some(local) = &self.local {
            return Ok(Prepared { next: Some(local.prepare(&config.aggregation)?) });
        }
        let _ = config;
        Ok(Prepared::default())
    }

    /// Puts it into effect.
    #[cfg_attr(not(feature = "aggregation"), expect(clippy::unused_self, reason = "nothing is here without the role"))]
    pub(super) fn adopt(&self, prepared: Prepared) {
        #[cfg(feature = "aggregation")]
        if let (Some(local), Some(next)) = (&self.local, prepared.next) {
            local.adopt(next);
        }
        #[cfg(not(feature = "aggregation"))]
        let _ = prepared;
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
pub(super) fn databases(config: &Config) -> Vec<AskedDatabase> {
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
