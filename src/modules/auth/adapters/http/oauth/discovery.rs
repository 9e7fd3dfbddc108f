//! `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`: where everything is, and what it
//! can do (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).

use std::collections::BTreeSet;

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use serde_json::{Value, json};

use crate::{
    modules::auth::{
        adapters::http::UseCases,
        application::Settings,
        domain::{GrantType, USER_SCOPES},
    },
    platform::http::Problem,
};

/// The server's metadata, for OpenID Connect.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "oauth",
    responses((
        status = 200, description = "OpenID Connect Discovery 1.0 §3",
        example = json!({"issuer": "https://id.example", "token_endpoint": "https://id.example/oauth/token"}),
    ), (status = 503, description = "`unavailable`, with `Retry-After`"))
)]
pub(in crate::modules::auth::adapters::http) async fn openid(
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    answer(&cases).await
}

/// The server's metadata, for OAuth.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "oauth",
    responses((
        status = 200, description = "RFC 8414 §2",
        example = json!({"issuer": "https://id.example", "token_endpoint": "https://id.example/oauth/token"}),
    ), (status = 503, description = "`unavailable`, with `Retry-After`"))
)]
pub(in crate::modules::auth::adapters::http) async fn oauth(
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    answer(&cases).await
}

async fn answer(cases: &UseCases) -> Result<HttpResponse, Problem> {
    let algorithms = algorithms(&cases.api.verification_keys().await?, cases.settings.oauth.signing_algorithm);
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")))
        .json(metadata(&cases.settings, &algorithms)))
}

/// What id tokens are signed with: the configured algorithm, and those of other keys while they are published.
fn algorithms(jwks: &str, configured: &str) -> BTreeSet<String> {
    let published: Value = serde_json::from_str(jwks).unwrap_or_default();
    let published = published["keys"].as_array().into_iter().flatten();
    published.filter_map(|key| key["alg"].as_str()).chain([configured]).map(str::to_owned).collect()
}

fn metadata(settings: &Settings, algorithms: &BTreeSet<String>) -> Value {
    let issuer = settings.issuer.as_str();
    let at = |path: &str| format!("{issuer}{path}");
    let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    let signatures = ["ES256", "EdDSA", "PS256", "RS256"];
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "userinfo_endpoint": at("/oauth/userinfo"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "device_authorization_endpoint": at("/oauth/device_authorization"),
        "pushed_authorization_request_endpoint": at("/oauth/par"),
        "end_session_endpoint": at("/oauth/logout"),
        "scopes_supported": USER_SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": signatures,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": signatures,
        // A public client may not ask; a caller may show an access token instead (RFC 8414 §2).
        "introspection_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "Bearer"],
        "introspection_endpoint_auth_signing_alg_values_supported": signatures,
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", "at_hash", "sid",
            "name", "updated_at", "email", "email_verified",
        ],
        "claim_types_supported": ["normal"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": ["en"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_pushed_authorization_requests": settings.oauth.require_pushed_requests,
        "authorization_response_iss_parameter_supported": true,
    })
}
