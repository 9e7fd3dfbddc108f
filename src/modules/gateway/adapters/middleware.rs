//! The gateway as actix middleware: one service a worker thread, with that thread's pool.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};

use super::{live::Live, pipeline::serve, pool::Pool};

/// The front door around an application's router. Cheap to clone.
#[derive(Clone)]
pub struct GatewayMiddleware {
    pub(super) live: Arc<Live>,
}

impl std::fmt::Debug for GatewayMiddleware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayMiddleware").finish_non_exhaustive()
    }
}

impl<S, B> Transform<S, ServiceRequest> for GatewayMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type InitError = ();
    type Transform = GatewayService<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let pool = Pool::new(self.live.clone());
        ready(Ok(GatewayService { inner: Rc::new(service), live: self.live.clone(), pool }))
    }
}

/// One worker thread's front door.
pub struct GatewayService<S> {
    inner: Rc<S>,
    live: Arc<Live>,
    pool: Rc<Pool>,
}

impl<S> std::fmt::Debug for GatewayService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayService").finish_non_exhaustive()
    }
}

impl<S, B> Service<ServiceRequest> for GatewayService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        Box::pin(serve(self.live.current(), self.pool.clone(), self.inner.clone(), request))
    }
}
