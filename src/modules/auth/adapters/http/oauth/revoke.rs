//! `POST /oauth/revoke` (RFC 7009).

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use utoipa::ToSchema;

use super::{
    Form, OAuthProblem,
    answer::{counted, unstored},
    client_authentication::authenticated,
    token::OAuthErrorBody,
};
use crate::modules::auth::{
    adapters::http::{UseCases, origin_of},
    application::oauth::OAuthError,
};

/// A token, and who asks.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read parameter by parameter; this is its description")]
pub(in crate::modules::auth::adapters::http) struct OneTokenForm {
    /// An access token or a refresh token.
    token: String,
    /// `access_token` or `refresh_token`. Tokens tell by themselves what they are.
    token_type_hint: Option<String>,
    /// The client, unless it is named in `Authorization: Basic …` or in `client_assertion`.
    client_id: Option<String>,
    /// The client's secret, unless it is in `Authorization: Basic …`.
    #[schema(format = "password")]
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with `client_assertion`.
    client_assertion_type: Option<String>,
    /// A JWT signed by the client (RFC 7523).
    client_assertion: Option<String>,
}

/// Ends what a token belongs to: its session, with every token of it.
#[utoipa::path(
    post, path = "/oauth/revoke", tag = "oauth",
    request_body(content = OneTokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token works no longer, or never did"),
        (status = 400, description = "`invalid_request`; `unauthorized_client` for another client's token", body = OAuthErrorBody),
        (status = 401, description = "`invalid_client`, with `WWW-Authenticate`", body = OAuthErrorBody),
        (status = 413, description = "The form is too long", body = OAuthErrorBody),
        (status = 415, description = "The body is not form-encoded", body = OAuthErrorBody),
        (status = 429, description = "Too many failed authentications of this client, with `Retry-After`", body = OAuthErrorBody),
        (status = 503, description = "`temporarily_unavailable`, with `Retry-After`", body = OAuthErrorBody),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn revoke(
    request: HttpRequest,
    form: Form,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, OAuthProblem> {
    counted("oauth_revoke", run(&request, &form, &cases).await.map_err(OAuthProblem))?;
    Ok(unstored(StatusCode::OK).finish())
}

async fn run(request: &HttpRequest, form: &Form, cases: &UseCases) -> Result<(), OAuthError> {
    let client = authenticated(request, form, cases).await?;
    cases.revoke_token.run(&client, form.required("token")?, &origin_of(request)).await
}
