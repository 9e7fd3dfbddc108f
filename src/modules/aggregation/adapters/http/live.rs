//! What serves at the moment. A request takes it when it comes, and keeps it to its end.

use std::{
    future::{Ready, ready},
    ops::Deref,
    sync::Arc,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use arc_swap::ArcSwap;
use matchit::Params;

use super::{
    super::super::application::catalogue::{Catalogue, Endpoint},
    UseCases,
};
use crate::platform::http::{Problem, problem::INTERNAL};

/// The use cases that serve, which may be swapped.
pub(crate) struct Live(ArcSwap<UseCases>);

impl Live {
    /// Serves these.
    pub(crate) fn new(use_cases: Arc<UseCases>) -> Self {
        Self(ArcSwap::new(use_cases))
    }

    /// Serves these from now on.
    pub(crate) fn swap(&self, use_cases: Arc<UseCases>) {
        self.0.store(use_cases);
    }
}

/// What serves this request.
pub(super) struct Current(Arc<UseCases>);

impl Deref for Current {
    type Target = UseCases;

    fn deref(&self) -> &UseCases {
        &self.0
    }
}

impl FromRequest for Current {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let live = request.app_data::<web::Data<Live>>();
        let missing = || Problem::new(&INTERNAL, "the application lacks its use cases");
        ready(live.map(|live| Self(live.0.load_full())).ok_or_else(missing))
    }
}

/// Finds configured endpoints by their paths; the most specific one wins.
pub(crate) struct Router(matchit::Router<Route>);

/// An endpoint and what its requests are called in metrics.
pub(super) struct Route {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) pattern: Arc<str>,
}

impl Router {
    /// Of these endpoints, whose paths have been checked.
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        let mut router = matchit::Router::new();
        for endpoint in &catalogue.endpoints {
            let pattern = format!("/data{}", endpoint.path).into();
            let _ = router.insert(endpoint.path.as_str(), Route { endpoint: Arc::clone(endpoint), pattern });
        }
        Self(router)
    }

    /// The endpoint at this path below `/data`, and its parameters.
    pub(super) fn find<'a>(&'a self, path: &'a str) -> Option<(&'a Route, Params<'a, 'a>)> {
        let found = self.0.at(path).ok()?;
        Some((found.value, found.params))
    }
}
