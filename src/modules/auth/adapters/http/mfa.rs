//! `/auth/mfa/*`: the second factor of the caller's account.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};

use super::{
    UseCases,
    bodies::{CodeBody, EnrolmentBody, FactorStatusBody, PasswordAndCodeBody, RecoveryCodesBody},
    counted, origin_of,
};
use crate::{
    modules::auth::{
        application::Failure,
        domain::{PlainPassword, RecoveryCode},
    },
    platform::http::{Fields, Problem, authentication::Caller},
};

/// Whether the account has a second factor, and how many recovery codes are left.
#[utoipa::path(
    get, path = "/auth/mfa", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "What the account has", body = FactorStatusBody),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client"),
    )
)]
pub(super) async fn show(caller: Caller, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    let status = cases.totp.status(caller.owner()?).await?;
    Ok(unstored(FactorStatusBody { enabled: status.is_on, recovery_codes_left: status.recovery_codes_left }))
}

/// A new secret for an authenticator. It asks for nothing until `confirm`; a new call replaces it.
#[utoipa::path(
    post, path = "/auth/mfa/totp", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "The secret, in three forms; it is shown here alone", body = EnrolmentBody),
        (status = 401, description = "`unauthenticated`, or `step-up-required` when the login was too long ago"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client"),
        (status = 409, description = "`mfa-enabled`: there is a second factor already"),
    )
)]
pub(super) async fn begin(caller: Caller, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    counted("begin_mfa", run_begin(&caller, &cases).await)
}

async fn run_begin(caller: &Caller, cases: &UseCases) -> Result<HttpResponse, Problem> {
    // Else a found token would be enough to lock its owner out.
    cases.step_up.demand(&caller.0).await?;
    Ok(unstored(EnrolmentBody::from(cases.totp.begin(caller.owner()?).await?)))
}

/// Turns the second factor on by the first code, which is spent. The recovery codes are shown here alone.
#[utoipa::path(
    post, path = "/auth/mfa/totp/confirm", tag = "auth", security(("bearer" = [])), request_body = CodeBody,
    responses(
        (status = 200, description = "Logins ask for a code from now on", body = RecoveryCodesBody),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client"),
        (status = 404, description = "`not-found`: there is no secret to confirm"),
        (status = 409, description = "`mfa-enabled`: there is a second factor already"),
        (status = 422, description = "`validation-failed`: also for a wrong code"),
    )
)]
pub(super) async fn confirm(
    request: HttpRequest,
    caller: Caller,
    mut fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let owner = caller.owner()?;
    let code = fields.required("code", |text| Ok(text.to_owned()));
    fields.finish()?;
    let code = code.unwrap_or_default();
    let confirmed = cases.totp.confirm(&caller.0, owner, &code, &origin_of(&request)).await;
    Ok(codes(&counted("enable_mfa", confirmed.map_err(Problem::from))?))
}

/// Takes the second factor off. A recovery code stands in for `code`.
#[utoipa::path(
    delete, path = "/auth/mfa/totp", tag = "auth", security(("bearer" = [])), request_body = PasswordAndCodeBody,
    responses(
        (status = 204, description = "Logins ask for no code any more"),
        (status = 401, description = "`unauthenticated`, `invalid-credentials` or `invalid-code`"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client"),
        (status = 404, description = "`not-found`: there is no second factor"),
        (status = 422, description = "`validation-failed`"),
        (status = 429, description = "`too-many-attempts`, with `Retry-After`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn disable(
    request: HttpRequest,
    caller: Caller,
    mut fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let owner = caller.owner()?;
    let password = fields.required("password", PlainPassword::given);
    let code = fields.required("code", |text| Ok(text.to_owned()));
    fields.finish()?;
    let (Some(password), Some(code)) = (password, code) else { return Err(Failure::InvalidCredentials.into()) };
    let disabled = cases.totp.disable(owner, password, code, &origin_of(&request)).await;
    counted("disable_mfa", disabled.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}

/// New recovery codes; all earlier ones stop working. They are shown here alone.
#[utoipa::path(
    post, path = "/auth/mfa/recovery-codes", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "The new codes", body = RecoveryCodesBody),
        (status = 401, description = "`unauthenticated`, or `step-up-required`"),
        (status = 403, description = "`forbidden`: an API key, or the token of an OAuth client"),
        (status = 404, description = "`not-found`: there is no second factor"),
    )
)]
pub(super) async fn renew_codes(
    request: HttpRequest,
    caller: Caller,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    Ok(codes(&counted("renew_recovery_codes", run_renew(&request, &caller, &cases).await)?))
}

async fn run_renew(request: &HttpRequest, caller: &Caller, cases: &UseCases) -> Result<Vec<RecoveryCode>, Problem> {
    cases.step_up.demand(&caller.0).await?;
    Ok(cases.totp.renew_codes(caller.owner()?, &origin_of(request)).await?)
}

fn codes(codes: &[RecoveryCode]) -> HttpResponse {
    unstored(RecoveryCodesBody { recovery_codes: codes.iter().map(RecoveryCode::to_show).collect() })
}

/// Secrets are stored nowhere on their way.
fn unstored(body: impl serde::Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store"))).json(body)
}
