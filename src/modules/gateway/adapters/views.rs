//! `GET {admin_prefix}/routes`: where the front door leads at the moment.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{
    admin::{READ, SharedHandle},
    explain::RouteSummary,
};
use crate::platform::http::{Problem, authentication::Caller};

/// All routes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct RouteList {
    items: Vec<RouteSummary>,
}

/// Shows every route that is in effect, built-in ones first.
#[utoipa::path(
    get,
    path = "/admin/routes",
    tag = "gateway",
    responses(
        (status = 200, description = "Every route with its conditions, destination and policies", body = RouteList),
        (status = 401, description = "No valid access token"),
        (status = 403, description = "The token lacks gateway:read"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn list_routes(caller: Caller, shared: web::Data<SharedHandle>) -> Result<HttpResponse, Problem> {
    caller.must(READ)?;
    let items = shared.0.current().summaries.clone();
    Ok(HttpResponse::Ok().json(RouteList { items }))
}
