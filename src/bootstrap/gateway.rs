//! Places the `gateway` role: around this process's application, or not at all.

use std::{net::SocketAddr, sync::Arc};

use actix_web::{middleware::from_fn, web};

use super::{
    process::Shared,
    server::{Routes, application, front, go_on, listen, listening},
};
#[cfg(feature = "gateway")]
use crate::{
    config::Config,
    kernel::Role,
    modules::gateway::{Gateway, GatewayParts, Placement, RoleRoute, front_door},
};
use crate::{
    kernel::StartError,
    platform::{http::listener::Listening, tls::ServerTls},
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

    pub(super) async fn stop(self) {
        #[cfg(feature = "gateway")]
        if let Some(local) = &self.local {
            local.stop().await;
        }
    }
}

/// Where the front door's role paths lead.
#[cfg(feature = "gateway")]
pub(super) fn role_routes(config: &Config, is_local: impl Fn(Role) -> bool) -> Vec<RoleRoute> {
    let remote = |role| Placement::Remote(config.services.url(role).to_owned());
    let place = |role| if is_local(role) { Placement::Local } else { remote(role) };
    front_door(&config.gateway, |role| (role != Role::Gateway).then(|| place(role)))
}
