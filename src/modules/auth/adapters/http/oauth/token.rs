//! `POST /oauth/token` (RFC 6749 §3.2): every grant's tokens.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Form, OAuthProblem,
    answer::{counted, unstored},
    client_authentication::authenticated,
};
use crate::modules::auth::{
    adapters::http::{UseCases, origin_of},
    application::oauth::{OAuthCode, OAuthError, OAuthTokens, Redemption},
    domain::GrantType,
};

/// What `POST /oauth/token` takes. Which members a grant needs, its specification says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read parameter by parameter; this is its description")]
pub(in crate::modules::auth::adapters::http) struct TokenForm {
    /// `authorization_code`, `refresh_token`, `client_credentials` or `urn:ietf:params:oauth:grant-type:device_code`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The client, unless it is named in `Authorization: Basic …` or in `client_assertion`.
    client_id: Option<String>,
    /// The client's secret, unless it is in `Authorization: Basic …`.
    #[schema(format = "password")]
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with `client_assertion`.
    client_assertion_type: Option<String>,
    /// A JWT signed by the client (RFC 7523).
    client_assertion: Option<String>,
    /// Scopes, separated by spaces.
    scope: Option<String>,
    /// Who the token is for (RFC 8707).
    resource: Option<String>,
    /// With `authorization_code`.
    code: Option<String>,
    /// With `authorization_code`: the URI that the code was sent to.
    redirect_uri: Option<String>,
    /// With `authorization_code`: what the challenge was made of (RFC 7636).
    code_verifier: Option<String>,
    /// With `refresh_token`.
    refresh_token: Option<String>,
    /// With the device grant (RFC 8628).
    device_code: Option<String>,
}

/// Tokens (RFC 6749 §5.1).
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct OAuthTokensBody {
    /// A JWT (RFC 9068), for `Authorization: Bearer`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// For how many seconds the access token works.
    #[schema(example = 1800)]
    expires_in: i64,
    /// Gives the next tokens, once. Absent without `offline_access`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// What the access token may do.
    #[schema(example = "openid profile")]
    scope: String,
    /// Who logged in (OpenID Connect Core 1.0 §2). Absent without `openid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl From<OAuthTokens> for OAuthTokensBody {
    fn from(tokens: OAuthTokens) -> Self {
        Self {
            access_token: tokens.access,
            token_type: "Bearer",
            expires_in: tokens.expires_in,
            refresh_token: tokens.refresh,
            scope: tokens.scope,
            id_token: tokens.id_token,
        }
    }
}

/// A fault (RFC 6749 §5.2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is written member by member; this is its description")]
pub(in crate::modules::auth::adapters::http) struct OAuthErrorBody {
    /// Which.
    #[schema(example = "invalid_grant")]
    error: String,
    /// What happened, for developers.
    error_description: String,
}

/// Gives tokens for a grant.
#[utoipa::path(
    post, path = "/oauth/token", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Tokens", body = OAuthTokensBody),
        (status = 400, description = "RFC 6749 §5.2", body = OAuthErrorBody),
        (status = 401, description = "`invalid_client`, with `WWW-Authenticate`", body = OAuthErrorBody),
        (status = 413, description = "The form is too long", body = OAuthErrorBody),
        (status = 415, description = "The body is not form-encoded", body = OAuthErrorBody),
        (status = 429, description = "Too many failed authentications of this client, with `Retry-After`", body = OAuthErrorBody),
        (status = 503, description = "`temporarily_unavailable`, with `Retry-After`", body = OAuthErrorBody),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn token(
    request: HttpRequest,
    form: Form,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, OAuthProblem> {
    let outcome = run(&request, &form, &cases).await.map_err(OAuthProblem);
    let tokens = counted("oauth_token", outcome)?;
    Ok(unstored(StatusCode::OK).json(OAuthTokensBody::from(tokens)))
}

async fn run(request: &HttpRequest, form: &Form, cases: &UseCases) -> Result<OAuthTokens, OAuthError> {
    // Before anything is looked up: a grant that is never given is nobody's.
    let grant = GrantType::parse_exact(form.required("grant_type")?)
        .ok_or_else(|| OAuthError::new(OAuthCode::UnsupportedGrantType, "there is no such grant"))?;
    let client = authenticated(request, form, cases).await?;
    if !client.may_use(grant) {
        return Err(OAuthError::new(OAuthCode::UnauthorizedClient, "the client may not use this grant"));
    }
    let origin = origin_of(request);
    let (scope, resource) = (form.get("scope"), form.get("resource"));
    match grant {
        GrantType::ClientCredentials => cases.client_credentials.run(&client, scope, resource, &origin).await,
        GrantType::RefreshToken => {
            let token = form.required("refresh_token")?;
            cases.spend_refresh_token.run(&client, token, scope, resource, &origin).await
        }
        GrantType::AuthorizationCode => {
            let redemption = Redemption {
                code: form.required("code")?,
                redirect_uri: form.get("redirect_uri"),
                verifier: form.required("code_verifier")?,
                resource,
            };
            cases.user_facing.redeem_code.run(&client, redemption, &origin).await
        }
        GrantType::DeviceCode => cases.user_facing.devices.poll(&client, form.required("device_code")?, &origin).await,
    }
}
