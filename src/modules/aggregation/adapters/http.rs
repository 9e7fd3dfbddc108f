//! The HTTP surface of aggregation.

mod aggregate;
mod catalogue;
pub(crate) mod context;
mod documented;
pub(crate) mod endpoint;
pub(crate) mod honest;
mod live;
mod problems;
mod transform;
mod transform_lines;

use std::sync::Arc;

use actix_web::{HttpResponse, http::header, web};

pub(crate) use catalogue::parameters;
pub(crate) use documented::documented;
pub(crate) use endpoint::CREDENTIALS;
pub(crate) use live::{Live, Router};
pub(crate) use problems::PROBLEMS;

use super::super::application::{
    aggregate::Aggregate, catalogue::Catalogue, run_endpoint::RunEndpoint, transform::Transform,
};
use crate::platform::http::{Problem, problem::METHOD_NOT_ALLOWED};

/// What the handlers call.
pub(crate) struct UseCases {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) aggregate: Aggregate,
    pub(crate) endpoints: RunEndpoint,
    pub(crate) transform: Transform,
    pub(crate) router: Router,
}

/// Registers every path of the role. Configured endpoints come and go, so they are found by their path when they are asked
/// for.
pub(crate) fn configure(live: &Arc<Live>, app: &mut web::ServiceConfig) {
    app.app_data(web::Data::from(Arc::clone(live)));
    app.service(resource("/data/aggregate", "GET").route(web::get().to(aggregate::aggregate)));
    app.service(resource("/data/sources", "GET").route(web::get().to(catalogue::sources)));
    app.service(resource("/data/endpoints", "GET").route(web::get().to(catalogue::endpoints)));
    app.service(resource("/data/transform", "POST").route(web::post().to(transform::transform)));
    app.service(web::resource("/data/{path:.+}").default_service(web::to(endpoint::serve)));
}

/// A path; other methods than `allowed` are told so.
fn resource(path: &str, allowed: &'static str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(move || async move {
        let problem = Problem::new(&METHOD_NOT_ALLOWED, format!("expected {allowed}"));
        Err::<HttpResponse, _>(problem.with_header(header::ALLOW, header::HeaderValue::from_static(allowed)))
    }))
}

/// The calls in OpenAPI.
#[derive(utoipa::OpenApi)]
#[openapi(paths(aggregate::aggregate, catalogue::sources, catalogue::endpoints, transform::transform))]
pub(crate) struct Documented;
