//! Places the `auth` role: here, or behind its URL.

use std::sync::Arc;

use super::process::{ConfigureRoutes, Shared};
#[cfg(feature = "auth")]
use crate::{
    kernel::Role,
    modules::auth::{Auth, AuthParts},
    platform::bell::{Bell, LocalBell},
};
use crate::{kernel::StartError, modules::auth::api::AuthApi, platform::http::HealthProbe};

/// What instances wake each other by: Redis where that is configured.
#[cfg(feature = "auth")]
fn bell(shared: &Shared) -> Result<Arc<dyn Bell>, StartError> {
    #[cfg(feature = "redis")]
    if let Some(settings) = super::redis::settings(shared) {
        return Ok(Arc::new(crate::platform::redis::RedisBell::start(&settings).map_err(super::redis::wrong)?));
    }
    let _ = shared;
    Ok(Arc::new(LocalBell::default()))
}

/// The role as this process has it.
pub(super) struct Placed {
    #[cfg(feature = "auth")]
    local: Option<Auth>,
    api: Arc<dyn AuthApi>,
}

impl Placed {
    pub(super) async fn start(shared: &Shared) -> Result<Self, StartError> {
        #[cfg(feature = "auth")]
        if shared.roles.has(Role::Auth) {
            let local = Auth::start(AuthParts {
                config: &shared.config.auth,
                database: &shared.config.database,
                mail: &shared.config.mail,
                clock: shared.clock.clone(),
                random: shared.random.clone(),
                verifier: shared.verifier.clone(),
                bell: bell(shared)?,
            })
            .await?;
            return Ok(Self { api: local.api(), local: Some(local) });
        }
        let api = crate::modules::auth::remote(&shared.config.services.auth, shared.signer.clone())?;
        Ok(Self {
            #[cfg(feature = "auth")]
            local: None,
            api,
        })
    }

    pub(super) fn api(&self) -> Arc<dyn AuthApi> {
        self.api.clone()
    }

    pub(super) fn probes(&self) -> Vec<Arc<dyn HealthProbe>> {
        #[cfg(feature = "auth")]
        if let Some(local) = &self.local {
            return local.probes();
        }
        Vec::new()
    }

    pub(super) fn routes(&self) -> Option<ConfigureRoutes> {
        #[cfg(feature = "auth")]
        if let Some(local) = &self.local {
            return Some(Arc::new(local.routes()));
        }
        None
    }

    pub(super) async fn stop(self) {
        #[cfg(feature = "auth")]
        if let Some(local) = &self.local {
            local.stop().await;
        }
    }
}
