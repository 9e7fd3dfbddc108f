//! The listener: one actix application a worker, the middleware around it, and a graceful end.

use std::{fmt::Debug, net::SocketAddr, rc::Rc, sync::Arc};

use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::{
    App, HttpResponse,
    body::MessageBody,
    dev::{AppConfig, ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse},
    http::header,
    middleware::{Next, from_fn},
    web,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};

use super::{
    gateway, http2,
    process::{ConfigureRoutes, Shared},
    tls,
};
use crate::{
    config::ServerConfig,
    kernel::StartError,
    platform::{
        http::{
            Problem, Wire,
            api_keys::IdentifyApiKeys,
            body::BodyLimit,
            front::{Front, Trust},
            listener::{self, Listening},
            operations::Operations,
            problem::NO_ROUTE,
        },
        tls::{ServerTls, watch},
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
    /// The tasks that notice new certificates.
    watches: Vec<JoinHandle<()>>,
}

impl Server {
    pub(super) fn bind(shared: &Arc<Shared>, routes: Routes) -> Result<Self, StartError> {
        let settings = &shared.config.server;
        let own_tls = tls::load("server.tls", settings.tls.as_ref())?;
        let operators_tls = settings.operations.as_ref().and_then(|own| own.tls.as_ref());
        let operators_tls = tls::load("server.operations.tls", operators_tls)?;
        let watches = [&own_tls, &operators_tls].into_iter().flatten().cloned().map(watch).collect();
        let operations = match &settings.operations {
            Some(own) => {
                let how = listening(settings, operators_tls);
                let how = Listening { at: SocketAddr::new(own.host, own.port), ..how };
                Some(bind_operations(shared, &routes, &how)?)
            }
            None => None,
        };
        let gateway = routes.gateway.clone();
        let (front_door, address) = gateway.bind(shared.clone(), routes, own_tls)?;
        Ok(Self { front_door, address, operations, watches })
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
        for task in self.watches {
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
            if let Some(siblings) = &shared.siblings {
                app.app_data(siblings.clone());
            }
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
    let trust = match &shared.siblings {
        Some(siblings) => Trust::Siblings(siblings.clone()),
        None => Trust::Proxies(shared.config.server.trusted_proxies.clone()),
    };
    let draining = shared.draining.clone();
    let sample = shared.config.log.sample;
    Front::new(shared.roles.service(), trust, draining, sample, shared.clock.clone(), shared.random.clone())
}

/// How the front door listens.
pub(super) fn listening(settings: &ServerConfig, tls: Option<ServerTls>) -> Listening {
    Listening {
        at: SocketAddr::new(settings.host, settings.port),
        workers: settings.workers,
        head_timeout: settings.head_timeout.get(),
        drain: settings.drain.get(),
        shutdown_timeout: settings.shutdown_timeout.get(),
        tls,
        changes_protocols: false,
        http2: http2::bounds(settings),
    }
}

/// Binds an application.
pub(super) fn listen<F, I, S, B>(
    factory: F,
    how: &Listening,
) -> Result<(actix_web::dev::Server, SocketAddr), StartError>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Error = actix_web::Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<actix_http::Response<B>>,
    B: MessageBody + 'static,
{
    listener::bind(factory, how).map_err(|error| StartError::Failed(format!("cannot listen on {}: {error}", how.at)))
}

/// Tells a client that waits for it that its body is wanted, unless that is known to be too long. Behind the gateway it is
/// the gateway that tells.
pub(super) async fn go_on<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if request.headers().contains_key(header::EXPECT) {
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length: Option<usize> = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let limit = request.app_data::<BodyLimit>().map_or(usize::MAX, |limit| limit.0);
        if let (Some(wire), true) = (request.conn_data::<Rc<Wire>>(), length.is_none_or(|length| length <= limit)) {
            wire.go_on();
        }
    }
    next.call(request).await
}

fn bind_operations(
    shared: &Arc<Shared>,
    routes: &Routes,
    how: &Listening,
) -> Result<actix_web::dev::Server, StartError> {
    let (shared, operations) = (shared.clone(), routes.operations.clone());
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
            .wrap(from_fn(go_on))
            .wrap(front(&shared))
    };
    listen(factory, how).map(|(server, _)| server)
}
