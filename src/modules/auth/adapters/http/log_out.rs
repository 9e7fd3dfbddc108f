//! `POST /auth/logout` and `POST /auth/logout-all`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{UseCases, counted, origin_of};
use crate::platform::http::{Problem, authentication::Caller};

/// Ends the caller's session; its access tokens stop working everywhere.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", security(("bearer" = [])),
    responses((status = 204, description = "The session has ended"), (status = 401, description = "`unauthenticated`"))
)]
pub(super) async fn log_out(
    request: HttpRequest,
    caller: Caller,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let ended = cases.log_out.one(caller.user()?, caller.0.session_id, &origin_of(&request)).await;
    counted("logout", ended.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends every session of the caller.
#[utoipa::path(
    post, path = "/auth/logout-all", tag = "auth", security(("bearer" = [])),
    responses((status = 204, description = "All sessions have ended"), (status = 401, description = "`unauthenticated`"))
)]
pub(super) async fn log_out_everywhere(
    request: HttpRequest,
    caller: Caller,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let ended = cases.log_out.all(caller.owner()?, &origin_of(&request)).await;
    counted("logout", ended.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}
