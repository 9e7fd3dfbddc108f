//! Places the `gateway` role: around this process's application, or not at all.

use std::{net::SocketAddr, sync::Arc};

use actix_web::{middleware::from_fn, web};

#[cfg(feature = "gateway")]
use super::reload::{Outcome, Refusal};
use super::{
    process::Shared,
    reload::Reloader,
    server::{Routes, application, front, go_on, listen, listening},
};
use crate::{
    config::Config,
    kernel::{SettingFault, StartError},
    platform::tls::ServerTls,
};
#[cfg(feature = "gateway")]
use crate::{
    kernel::Role,
    modules::gateway::{
        Gateway, GatewayParts, Instances, Placement, Reload, ReloadFault, Reloaded, RoleRoute, front_door,
    },
    platform::http::listener::Listening,
};

/// The role as this process has it.
#[derive(Clone, Default)]
pub(super) struct Placed {
    #[cfg(feature = "gateway")]
    local: Option<Arc<Gateway>>,
}

impl Placed {
    #[cfg_attr(not(feature = "gateway"), expect(clippy::unused_async, reason = "starts nothing without the role"))]
    pub(super) async fn start(shared: &Shared) -> Result<Self, StartError> {
        #[cfg(feature = "gateway")]
        if shared.roles.has(Role::Gateway) {
            let local = Gateway::start(GatewayParts {
                config: &shared.config.gateway,
                body_limit: shared.config.server.body_limit,
                trusted_proxies: shared.config.server.trusted_proxies.clone(),
                secure: shared.config.server.tls.is_some(),
                roles: role_routes(&shared.config, |role| shared.roles.has(role)),
                verifier: shared.verifier.clone(),
                api_keys: shared.api_keys.clone(),
                shared_cache: shared_cache(shared)?,
                instances: instances(shared)?,
                signer: shared.signer.clone(),
                clock: shared.clock.clone(),
                random: shared.random.clone(),
            })
            .await?;
            return Ok(Self { local: Some(Arc::new(local)) });
        }
        let _ = shared;
        Ok(Self::default())
    }

    /// Binds the front door: the application, behind the gateway when that is here.
    pub(super) fn bind(
        &self,
        shared: Arc<Shared>,
        routes: Routes,
        tls: Option<ServerTls>,
    ) -> Result<(actix_web::dev::Server, SocketAddr), StartError> {
        let how = listening(&shared.config.server, tls);
        #[cfg(feature = "gateway")]
        if let Some(gateway) = self.local.clone() {
            let factory = move || application(&shared, &routes).wrap(gateway.middleware()).wrap(front(&shared));
            return listen(factory, &Listening { changes_protocols: true, ..how });
        }
        let factory = move || application(&shared, &routes).wrap(from_fn(go_on)).wrap(front(&shared));
        listen(factory, &how)
    }

    /// The administration's routes.
    pub(super) fn configure(&self, app: &mut web::ServiceConfig) {
        #[cfg(feature = "gateway")]
        if let Some(local) = &self.local {
            local.configure(app);
        }
        #[cfg(not(feature = "gateway"))]
        let _ = app;
    }

    /// Whether the role is here.
    #[cfg_attr(not(feature = "gateway"), expect(clippy::unused_self, reason = "nothing is here without the role"))]
    pub(super) fn is_local(&self) -> bool {
        #[cfg(feature = "gateway")]
        return self.local.is_some();
        #[cfg(not(feature = "gateway"))]
        false
    }

    /// Puts the role's part of another configuration into effect; `false` when the role is not here.
    #[cfg_attr(not(feature = "gateway"), expect(clippy::unused_async, reason = "swaps nothing without the role"))]
    pub(super) async fn reload(&self, config: &Config) -> Result<bool, Vec<SettingFault>> {
        #[cfg(feature = "gateway")]
        if let Some(local) = &self.local {
            return local.reload(&config.gateway).await.map(|()| true);
        }
        let _ = config;
        Ok(false)
    }

    /// Says who reads the configuration again when the administration asks.
    pub(super) fn reload_by(&self, reloader: &Arc<Reloader>) {
        #[cfg(feature = "gateway")]
        if let Some(local) = &self.local {
            local.reload_by(Arc::new(ByAdministration(reloader.clone())));
        }
        let _ = reloader;
    }

    pub(super) async fn stop(self) {
        #[cfg(feature = "gateway")]
        if let Some(local) = &self.local {
            local.stop().await;
        }
    }
}

/// Reading the configuration again, as the administration asks for it.
#[cfg(feature = "gateway")]
struct ByAdministration(Arc<Reloader>);

#[cfg(feature = "gateway")]
#[async_trait::async_trait]
impl Reload for ByAdministration {
    async fn reload(&self) -> Result<Reloaded, ReloadFault> {
        match self.0.reload().await {
            Ok(Outcome { applied, needs_restart }) => Ok(Reloaded { applied, needs_restart }),
            Err(Refusal::Faults(faults)) => Err(ReloadFault::Refused(faults)),
            Err(Refusal::Failed(why)) => Err(ReloadFault::Failed(why)),
        }
    }
}

/// What instances keep for each other: Redis where that is configured.
#[cfg(feature = "gateway")]
fn shared_cache(shared: &Shared) -> Result<Option<Arc<dyn crate::platform::shared_cache::SharedCache>>, StartError> {
    #[cfg(feature = "redis")]
    if let Some(settings) = super::redis::settings(shared) {
        let cache = crate::platform::redis::RedisSharedCache::start(&settings).map_err(super::redis::wrong)?;
        return Ok(Some(Arc::new(cache)));
    }
    let _ = shared;
    Ok(None)
}

/// Where the front door's role paths lead.
#[cfg(feature = "gateway")]
pub(super) fn role_routes(config: &Config, is_local: impl Fn(Role) -> bool) -> Vec<RoleRoute> {
    let remote = |role| Placement::Remote(config.services.url(role).to_owned());
    let place = |role| if is_local(role) { Placement::Local } else { remote(role) };
    front_door(&config.gateway, |role| (role != Role::Gateway).then(|| place(role)))
}

/// What this instance shares with others: what Redis carries, where that is configured.
#[cfg(feature = "gateway")]
#[cfg_attr(not(feature = "redis"), expect(clippy::unnecessary_wraps, reason = "fails only with Redis"))]
fn instances(shared: &Shared) -> Result<Instances, StartError> {
    #[cfg(feature = "redis")]
    if let Some(settings) = super::redis::settings(shared) {
        let counts = crate::platform::redis::RedisCounts::start(&settings).map_err(super::redis::wrong)?;
        let breakers = crate::platform::redis::RedisBreakers::start(&settings, &shared.clock, &*shared.random);
        let breakers = breakers.map_err(super::redis::wrong)?;
        return Ok(Instances { counts: Some(Arc::new(counts)), breakers: Some(Arc::new(breakers)) });
    }
    let _ = shared;
    Ok(Instances::default())
}
