//! `POST /oauth/introspect` (RFC 7662).

use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _,
    http::{
        StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    web,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    Form, OAuthProblem,
    answer::{counted, unstored},
    client_authentication::authenticated,
    revoke::OneTokenForm,
    token::OAuthErrorBody,
};
use crate::{
    modules::auth::{
        adapters::http::UseCases,
        application::{
            Failure,
            oauth::{Asker, OAuthError, TokenState},
        },
        domain::ClientProof,
    },
    platform::{
        http::authentication::{Identity, bearer, identify},
        tokens::TokenFault,
    },
};

/// What lets a caller with an access token look at any token.
const PERMISSION: &str = "clients:read";

/// What a token stands for. Of one that does not work, only that is told.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct IntrospectionBody {
    /// Whether it works now.
    active: bool,
    /// What it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// The client that it was given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The user's address, when the token tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// `Bearer`, or `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// When it expires, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// When it was made, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// The user, or the client itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    /// Who it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// The token's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
}

impl IntrospectionBody {
    fn of(state: TokenState, issuer: &str) -> Self {
        Self {
            active: true,
            scope: Some(state.scope),
            client_id: Some(state.client_id),
            username: state.username,
            token_type: Some(state.kind),
            exp: Some(state.expires_at.timestamp()),
            iat: Some(state.issued_at.timestamp()),
            sub: Some(state.subject.to_string()),
            aud: Some(state.audience),
            iss: Some(issuer.to_owned()),
            jti: state.id,
            sid: Some(state.session.to_string()),
        }
    }
}

/// Tells whether a token works, and what it stands for.
///
/// For clients that can keep a secret, and for callers with the permission `clients:read`. A refresh token is told of
/// to its own client alone.
#[utoipa::path(
    post, path = "/oauth/introspect", tag = "oauth",
    request_body(content = OneTokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token's state", body = IntrospectionBody, example = json!({"active": false})),
        (status = 400, description = "`invalid_request`", body = OAuthErrorBody),
        (status = 401, description = "`invalid_client`, or `invalid_token` of a caller with an access token", body = OAuthErrorBody),
        (status = 403, description = "`insufficient_scope` of a caller with an access token", body = OAuthErrorBody),
        (status = 413, description = "The form is too long", body = OAuthErrorBody),
        (status = 415, description = "The body is not form-encoded", body = OAuthErrorBody),
        (status = 429, description = "Too many failed authentications of this client, with `Retry-After`", body = OAuthErrorBody),
        (status = 503, description = "`temporarily_unavailable`, with `Retry-After`", body = OAuthErrorBody),
    )
)]
pub(in crate::modules::auth::adapters::http) async fn introspect(
    request: HttpRequest,
    form: Form,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, OAuthProblem> {
    let is_bearer = request.headers().get(AUTHORIZATION).is_some_and(|header| bearer(header).is_some());
    let asked = if is_bearer {
        if let Some(refused) = refused_bearer(&request) {
            return Ok(refused);
        }
        by_permission(&form, &cases).await
    } else {
        by_client(&request, &form, &cases).await
    };
    let state = counted("oauth_introspect", asked.map_err(OAuthProblem))?;
    let body =
        state.map_or_else(IntrospectionBody::default, |state| IntrospectionBody::of(state, &cases.settings.issuer));
    Ok(unstored(StatusCode::OK).json(body))
}

/// The answer to a caller whose access token does not do (RFC 6750 §3, RFC 7662 §2.3).
fn refused_bearer(request: &HttpRequest) -> Option<HttpResponse> {
    let (status, error) = match identify(request) {
        Identity::Known(caller) if caller.may(PERMISSION) => return None,
        Identity::Known(_) => (StatusCode::FORBIDDEN, "insufficient_scope"),
        Identity::Refused(TokenFault::Invalid(_)) | Identity::Anonymous => (StatusCode::UNAUTHORIZED, "invalid_token"),
        Identity::Refused(_) => {
            let error = Failure::Unavailable("access tokens cannot be verified at the moment".to_owned());
            return Some(OAuthProblem::from(error).error_response());
        }
    };
    let challenge = format!("Bearer error=\"{error}\", scope=\"{PERMISSION}\"");
    let body = json!({"error": error, "error_description": format!("this needs an access token with {PERMISSION}")});
    Some(unstored(status).insert_header((WWW_AUTHENTICATE, challenge)).json(body))
}

async fn by_permission(form: &Form, cases: &UseCases) -> Result<Option<TokenState>, OAuthError> {
    cases.introspect_token.run(Asker::Permitted, form.required("token")?).await
}

async fn by_client(request: &HttpRequest, form: &Form, cases: &UseCases) -> Result<Option<TokenState>, OAuthError> {
    let client = authenticated(request, form, cases).await?;
    if client.proof == ClientProof::Public {
        // Whoever knows its name could ask (RFC 7662 §2.1).
        return Err(OAuthError::invalid_client());
    }
    cases.introspect_token.run(Asker::Client(&client), form.required("token")?).await
}
