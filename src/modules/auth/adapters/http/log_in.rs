//! `POST /auth/login` and `POST /auth/refresh`: what gives tokens.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};

use super::{
    UseCases,
    bodies::{LoginBody, RefreshBody, TokensBody},
    client_of, counted, origin_of,
};
use crate::{
    modules::auth::{
        application::{Failure, IssuedTokens, LoginAttempt},
        config::CaptchaPlace,
        domain::{Email, Origin, PlainPassword},
    },
    platform::http::{Fields, Problem},
};

/// Logs in with address and password.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", request_body = LoginBody,
    responses(
        (status = 200, description = "A new session's tokens", body = TokensBody),
        (status = 401, description = "`invalid-credentials`, `mfa-required` or `invalid-code`"),
        (status = 403, description = "`email-not-verified` or `account-suspended`, only after a right password; `captcha-required` after failures"),
        (status = 422, description = "`validation-failed`"),
        (status = 429, description = "`too-many-attempts`, with `Retry-After`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn log_in(
    request: HttpRequest,
    fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    counted("login", run(&request, fields, &cases).await)
}

async fn run(request: &HttpRequest, mut fields: Fields, cases: &UseCases) -> Result<HttpResponse, Problem> {
    let email = fields.required("email", Email::parse);
    let password = fields.required("password", PlainPassword::given);
    let code = fields.optional("code", |text| Ok(text.to_owned()));
    let captcha = fields.optional("captcha", |text| Ok(text.to_owned()));
    fields.finish()?;
    let (Some(email), Some(password)) = (email, password) else { return Err(Failure::InvalidCredentials.into()) };
    let client = client_of(request);
    cases.captcha.demand(CaptchaPlace::Login, (&email, client), captcha.as_deref()).await?;
    let Origin { user_agent, request_id, .. } = origin_of(request);
    let attempt = LoginAttempt { email: email.clone(), password, code, client, user_agent, request_id };
    let outcome = cases.log_in.run(attempt).await;
    cases.captcha.note_login((&email, client), &outcome).await;
    Ok(tokens(outcome?))
}

/// Spends a refresh token for a new pair.
///
/// Inside the leeway a spent one answers with the same refresh token that it gave; after it, it ends its session.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", request_body = RefreshBody,
    responses(
        (status = 200, description = "The session's next tokens", body = TokensBody),
        (status = 401, description = "`invalid-refresh-token` or `refresh-token-reused`"),
        (status = 422, description = "`validation-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn refresh(
    request: HttpRequest,
    fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    counted("refresh", run_refresh(&request, fields, &cases).await)
}

async fn run_refresh(request: &HttpRequest, mut fields: Fields, cases: &UseCases) -> Result<HttpResponse, Problem> {
    let token = fields.required("refresh_token", |text| Ok(text.to_owned()));
    fields.finish()?;
    let token = token.ok_or(Failure::InvalidRefreshToken)?;
    Ok(tokens(cases.refresh.run(&token, &origin_of(request)).await?))
}

/// RFC 6749 §5.1: tokens are stored nowhere on their way.
pub(super) fn tokens(issued: IssuedTokens) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(TokensBody::from(issued))
}
