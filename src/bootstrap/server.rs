//! The listener: one actix application a worker, the middleware around it, and a graceful end.

use std::{fmt::Debug, net::SocketAddr, sync::Arc};

use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::{
    App, HttpResponse, HttpServer,
    body::MessageBody,
    dev::{AppConfig, ServerHandle, ServiceFactory, ServiceRequest},
    web,
};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    gateway,
    process::{ConfigureRoutes, Shared},
};
use crate::{
    config::ServerConfig,
    kernel::StartError,
    platform::http::{
        Problem, api_keys::IdentifyApiKeys, body::BodyLimit, front::Front, operations::Operations, problem::NO_ROUTE,
    },
};

/// What the application answers with, besides the gateway.
#[derive(Clone)]
pub(super) struct Routes {
    pub(super) roles: Vec<ConfigureRoutes>,
    pub(super) gateway: gateway::Placed,
    pub(super) operations: Arc<Operations>,
}

/// A bound listener.
pub(super) struct Server {
    front_door: actix_web::dev::Server,
    address: SocketAddr,
    /// The listener for operators, when it is one of its own.
    operations: Option<actix_web::dev::Server>,
}

impl Server {
    pub(super) fn bind(shared: &Arc<Shared>, routes: Routes) -> Result<Self, StartError> {
        let settings = &shared.config.server;
        let at = SocketAddr::new(settings.host, settings.port);
        let operations = match &settings.operations {
            Some(own) => Some(bind_operations(shared, &routes, SocketAddr::new(own.host, own.port))?),
            None => None,
        };
        let gateway = routes.gateway.clone();
        let (front_door, address) = gateway.bind(shared.clone(), routes, at)?;
        Ok(Self { front_door, address, operations })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until SIGTERM or SIGINT, then drains; at a second signal it ends at once.
    pub(super) async fn run_until_signal(self, draining: impl FnOnce()) -> Result<(), StartError> {
        let handles: Vec<ServerHandle> = std::iter::once(self.front_door.handle())
            .chain(self.operations.as_ref().map(actix_web::dev::Server::handle))
            .collect();
        let serving = tokio::spawn(self.front_door);
        let operating = self.operations.map(tokio::spawn);
        let failed = |error: std::io::Error| StartError::Failed(format!("cannot listen for signals: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!(event = "stopping", detail = "finishing what is in flight; a second signal ends at once");
        draining();
        let drained = async {
            for handle in &handles {
                handle.stop(true).await;
            }
        };
        tokio::select! {
            () = drained => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        for task in std::iter::once(serving).chain(operating) {
            task.abort();
        }
        Ok(())
    }
}

/// The application without its gateway: roles, operations, and 404 for the rest.
pub(super) fn application(
    shared: &Shared,
    routes: &Routes,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    > + use<>,
> {
    let own_listener = shared.config.server.operations.is_some();
    App::new()
        .app_data(BodyLimit(shared.config.server.body_limit.as_usize()))
        .app_data(shared.verifier.clone())
        .configure(|app| {
            if !own_listener {
                routes.operations.configure(app);
            }
            for configure in &routes.roles {
                configure(app);
            }
            if !own_listener {
                routes.gateway.configure(app);
            }
        })
        .default_service(web::to(no_route))
        .wrap(IdentifyApiKeys { tokens: shared.verifier.clone(), keys: shared.api_keys.clone() })
}

pub(super) async fn no_route() -> Result<HttpResponse, Problem> {
    Err(Problem::new(&NO_ROUTE, "nothing is served at this path"))
}

/// The front of one worker.
pub(super) fn front(shared: &Shared) -> Front {
    let proxies = shared.config.server.trusted_proxies.clone();
    Front::new(shared.roles.service(), proxies, shared.clock.clone(), shared.random.clone())
}

/// Binds an application with the configured limits.
pub(super) fn listen<F, I, S, B>(
    server: HttpServer<F, I, S, B>,
    settings: &ServerConfig,
    at: SocketAddr,
) -> Result<(actix_web::dev::Server, SocketAddr), StartError>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Error = actix_web::Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<actix_http::Response<B>>,
    B: MessageBody + 'static,
{
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let server = server
        .workers(workers)
        .client_request_timeout(settings.head_timeout.get())
        // A client that closes its side has gone: what runs for it is cancelled.
        .h1_allow_half_closed(false)
        .shutdown_timeout(settings.shutdown_timeout.get().as_secs())
        .disable_signals()
        .bind(at)
        .map_err(|error| StartError::Failed(format!("cannot listen on {at}: {error}")))?;
    let bound = server.addrs().first().copied().unwrap_or(at);
    Ok((server.run(), bound))
}

fn bind_operations(
    shared: &Arc<Shared>,
    routes: &Routes,
    at: SocketAddr,
) -> Result<actix_web::dev::Server, StartError> {
    let (settings, shared, operations) = (shared.config.server.clone(), shared.clone(), routes.operations.clone());
    let gateway = routes.gateway.clone();
    let factory = move || {
        App::new()
            .app_data(shared.verifier.clone())
            .configure(|app| {
                operations.configure(app);
                gateway.configure(app);
            })
            .default_service(web::to(no_route))
            .wrap(IdentifyApiKeys { tokens: shared.verifier.clone(), keys: shared.api_keys.clone() })
            .wrap(front(&shared))
    };
    listen(HttpServer::new(factory), &settings, at).map(|(server, _)| server)
}
