//! `GET` and `PATCH /auth/me`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG, HeaderValue},
    web,
};
use serde_json::Value;

use super::{
    UseCases,
    bodies::{ProfileBody, UserBody},
    conditions::{names_version, tag_of_user},
    origin_of,
};
use crate::{
    modules::auth::{api::UserView, application::Failure, domain::DisplayName},
    platform::{
        http::{
            Fields, Problem,
            authentication::{Caller, refusal},
        },
        tokens::TokenFault,
    },
};

/// The caller's own account.
#[utoipa::path(
    get, path = "/auth/me", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "The user", body = UserBody, headers(("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`"),
    )
)]
pub(super) async fn show(caller: Caller, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    Ok(answer(load(&caller, &cases).await?))
}

/// Changes the caller's own account.
#[utoipa::path(
    patch, path = "/auth/me", tag = "auth", security(("bearer" = [])), request_body = ProfileBody,
    params(("If-Match" = Option<String>, Header, description = "The version to change")),
    responses(
        (status = 200, description = "The user as it is now", body = UserBody),
        (status = 401, description = "`unauthenticated`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 422, description = "`validation-failed`"),
    )
)]
pub(super) async fn change(
    request: HttpRequest,
    caller: Caller,
    mut fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let name = match fields.take("display_name") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(text)) => match DisplayName::parse(&text) {
            Ok(name) => Some(Some(name)),
            Err(fault) => {
                fields.fault("display_name", fault.code, fault.detail);
                None
            }
        },
        Some(_) => {
            fields.fault("display_name", "wrong-type", "expected a string or null");
            None
        }
    };
    fields.finish()?;
    let user = load(&caller, &cases).await?;
    let unless_changed_since = names_version(&request, &tag_of_user(&user))?.then_some(user.updated_at);
    let Some(name) = name else { return Ok(answer(user)) };
    Ok(answer(cases.profile.rename(caller.owner()?, name, unless_changed_since, &origin_of(&request)).await?))
}

/// A token may outlive its user by a moment.
async fn load(caller: &Caller, cases: &UseCases) -> Result<UserView, Problem> {
    match cases.profile.show(caller.user()?).await {
        Err(Failure::NotFound) => Err(refusal(Some(&TokenFault::Invalid("the token's user is gone")))),
        outcome => Ok(outcome?),
    }
}

fn answer(user: UserView) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, tag_of_user(&user)))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(UserBody::from(user))
}
