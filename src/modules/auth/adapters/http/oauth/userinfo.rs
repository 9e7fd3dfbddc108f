//! `/oauth/userinfo` (OpenID Connect Core 1.0 §5.3): what a client may know of its user.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::unstored;
use crate::{
    modules::auth::{
        adapters::http::{UseCases, counted},
        domain::{EMAIL, OPENID, PROFILE},
    },
    platform::http::{
        Problem,
        authentication::{Caller, forbidden},
    },
};

/// A user, as far as the token's scopes go (OpenID Connect Core 1.0 §5.1).
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct UserInfoBody {
    /// The id.
    #[schema(example = "0192f0c1-2d3e-7abc-8def-0123456789ab")]
    sub: String,
    /// With `profile`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// With `profile`: seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    /// With `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// With `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

/// The user of the access token.
#[utoipa::path(
    get, path = "/oauth/userinfo", tag = "oauth", security(("bearer" = [])),
    responses(
        (status = 200, description = "OpenID Connect Core 1.0 §5.3.2", body = UserInfoBody),
        (status = 401, description = "`unauthenticated`, with `WWW-Authenticate`"),
        (status = 403, description = "The token lacks `openid`: `insufficient_scope` in `WWW-Authenticate`"),
        (status = 404, description = "`not-found`: the user is gone"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn show(
    caller: Caller,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    counted("oauth_userinfo", run(&caller, &cases).await)
}

/// The same by POST.
#[utoipa::path(
    post, path = "/oauth/userinfo", tag = "oauth", security(("bearer" = [])),
    responses(
        (status = 200, description = "OpenID Connect Core 1.0 §5.3.2", body = UserInfoBody),
        (status = 401, description = "`unauthenticated`, with `WWW-Authenticate`"),
        (status = 403, description = "The token lacks `openid`: `insufficient_scope` in `WWW-Authenticate`"),
        (status = 404, description = "`not-found`: the user is gone"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn show_by_post(
    caller: Caller,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    counted("oauth_userinfo", run(&caller, &cases).await)
}

async fn run(caller: &Caller, cases: &UseCases) -> Result<HttpResponse, Problem> {
    let user = cases.user_facing.user_info.run(&caller.0).await?.ok_or_else(|| forbidden(OPENID))?;
    let (tells_name, tells_email) = (caller.0.may(PROFILE), caller.0.may(EMAIL));
    Ok(unstored(StatusCode::OK).json(UserInfoBody {
        sub: user.id.to_string(),
        name: user.display_name.filter(|_| tells_name).map(|name| name.as_str().to_owned()),
        updated_at: tells_name.then(|| user.updated_at.timestamp()),
        email: tells_email.then(|| user.email.to_string()),
        email_verified: tells_email.then_some(user.email_verified),
    }))
}
