//! `GET /.well-known/jwks.json` (RFC 7517).

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH},
    web,
};
use aws_lc_rs::digest;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::UseCases;
use crate::platform::http::Problem;

/// The public keys that tokens are verified with. A shared secret is never among them. A new key is here before it signs:
/// longer than this answer may be cached.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "auth",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the keys that are known already")),
    responses(
        (
            status = 200, description = "A JWK Set (RFC 7517)", content_type = "application/jwk-set+json",
            example = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "…", "y": "…", "kid": "…", "use": "sig", "alg": "ES256"}]}),
        ),
        (status = 304, description = "The same keys as before"),
        (status = 503, description = "`unavailable`: the keys are not known"),
    )
)]
pub(super) async fn show(request: HttpRequest, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    let keys = cases.api.verification_keys().await?;
    let digest = digest::digest(&digest::SHA256, keys.as_bytes());
    let etag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]));
    let known = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let is_known = known.flat_map(|line| line.split(',')).any(|tag| matches_tag(tag.trim(), &etag));
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    let max_age = format!("public, max-age={}", cases.settings.keys_max_age.num_seconds());
    let max_age = HeaderValue::from_str(&max_age).unwrap_or(HeaderValue::from_static("no-cache"));
    answer.insert_header((CACHE_CONTROL, max_age)).insert_header((ETAG, etag));
    if is_known {
        return Ok(answer.finish());
    }
    Ok(answer.content_type("application/jwk-set+json").body(keys))
}

/// Weak comparison (RFC 9110 §13.1.2).
fn matches_tag(sent: &str, etag: &str) -> bool {
    sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == etag
}
