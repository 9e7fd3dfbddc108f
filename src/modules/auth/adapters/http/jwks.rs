//! `GET /.well-known/jwks.json` (RFC 7517).

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};

use super::UseCases;
use crate::platform::http::Problem;

/// The public keys that tokens are verified with. A shared secret is never among them.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "auth",
    responses((
        status = 200, description = "A JWK Set (RFC 7517)", content_type = "application/jwk-set+json",
        example = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "…", "y": "…", "kid": "…", "use": "sig", "alg": "ES256"}]}),
    ))
)]
pub(super) async fn show(cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    let keys = cases.api.verification_keys().await?;
    // A new key is known everywhere within a minute.
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=60")))
        .content_type("application/jwk-set+json")
        .body(keys))
}
