//! `POST /auth/step-up`: the caller proves again who it is.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{UseCases, bodies::StepUpBody, counted, origin_of};
use crate::{
    modules::auth::{application::Failure, domain::PlainPassword},
    platform::http::{Fields, Problem, authentication::Caller},
};

/// Renews the session by password, and by code where the account has a second factor, so that it may do what is dangerous.
///
/// The tokens stay as they are. Counted like a login.
#[utoipa::path(
    post, path = "/auth/step-up", tag = "auth", security(("bearer" = [])), request_body = StepUpBody,
    responses(
        (status = 204, description = "The session counts as just logged in"),
        (status = 401, description = "`unauthenticated`, `invalid-credentials`, `mfa-required` or `invalid-code`"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client"),
        (status = 422, description = "`validation-failed`"),
        (status = 429, description = "`too-many-attempts`, with `Retry-After`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn step_up(
    request: HttpRequest,
    caller: Caller,
    mut fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.owner()?;
    let password = fields.required("password", PlainPassword::given);
    let code = fields.optional("code", |text| Ok(text.to_owned()));
    fields.finish()?;
    let password = password.ok_or(Failure::InvalidCredentials)?;
    let renewed = cases.step_up.run(&caller.0, password, code, &origin_of(&request)).await;
    counted("step_up", renewed.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}
