//! Places the `aggregation` role: here, or behind the gateway's route to its URL.

use std::{process::ExitCode, sync::Arc};

use super::process::{ConfigureRoutes, Shared};
#[cfg(feature = "aggregation")]
use crate::{
    kernel::Role,
    modules::aggregation::{Aggregation, AggregationParts},
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
            let parts = AggregationParts { config: &shared.config.aggregation, clock, worker: None };
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

/// Runs the hidden command that evaluates programs from requests.
pub fn evaluation_worker() -> ExitCode {
    #[cfg(feature = "aggregation")]
    return crate::modules::aggregation::evaluation_worker();
    #[cfg(not(feature = "aggregation"))]
    ExitCode::FAILURE
}
