//! `DELETE /users/{id}/mfa`: for users who lost what they log in with.

use actix_web::{HttpRequest, HttpResponse, web};

use super::target;
use crate::{
    modules::auth::adapters::http::{UseCases, counted},
    platform::http::{Problem, authentication::Caller},
};

/// Takes the second factor, the recovery codes and the passkeys off a user who lost them. The sessions end, the password is
/// enough from then on, and the user is told by mail. That it is the user who asks is the administrator's to find out.
#[utoipa::path(
    delete, path = "/users/{id}/mfa", tag = "users", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The user"),
        ("If-Match" = Option<String>, Header, description = "The version to change"),
    ),
    responses(
        (status = 204, description = "The password alone is enough, whatever there was before"),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `users:write`, and every permission that the user has"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`own-account`: take your own off by `DELETE /auth/mfa/totp`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn remove(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("users:write")?;
    let (by, which) = target(&request, &caller, &id, &cases).await?;
    counted("remove_user_factors", cases.users.remove_factors(&by, which).await.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}
