//! `POST /oauth/par` (RFC 9126): a client sends its authorization request ahead.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Form, OAuthProblem,
    answer::{counted, unstored},
    client_authentication::authenticated,
    token::OAuthErrorBody,
};
use crate::modules::auth::{
    adapters::http::UseCases,
    application::oauth::{AuthorizationParameters, OAuthError},
};

/// A reference to a pushed request (RFC 9126 §2.2).
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct PushedBody {
    /// For `GET /oauth/authorize?client_id=…&request_uri=…`, once.
    #[schema(example = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c")]
    request_uri: String,
    /// For how many seconds.
    #[schema(example = 60)]
    expires_in: i64,
}

/// Takes an authorization request ahead of its browser.
#[utoipa::path(
    post, path = "/oauth/par", tag = "oauth",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "As the query of `GET /oauth/authorize`, and what shows who the client is"),
    responses(
        (status = 201, description = "RFC 9126 §2.2", body = PushedBody),
        (status = 400, description = "RFC 9126 §2.3", body = OAuthErrorBody),
        (status = 401, description = "`invalid_client`, with `WWW-Authenticate`", body = OAuthErrorBody),
        (status = 413, description = "The form is too long", body = OAuthErrorBody),
        (status = 415, description = "The body is not form-encoded", body = OAuthErrorBody),
        (status = 429, description = "Too many failed authentications of this client, with `Retry-After`", body = OAuthErrorBody),
        (status = 503, description = "`temporarily_unavailable`, with `Retry-After`", body = OAuthErrorBody),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn push(
    request: HttpRequest,
    form: Form,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, OAuthProblem> {
    let (request_uri, expires_in) = counted("oauth_par", run(&request, &form, &cases).await.map_err(OAuthProblem))?;
    Ok(unstored(StatusCode::CREATED).json(PushedBody { request_uri, expires_in }))
}

async fn run(request: &HttpRequest, form: &Form, cases: &UseCases) -> Result<(String, i64), OAuthError> {
    let client = authenticated(request, form, cases).await?;
    let pairs = form.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    cases.user_facing.push_request.run(&client, AuthorizationParameters(pairs)).await
}
