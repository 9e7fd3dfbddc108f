//! `POST /auth/verify`: whether a token is good, for services that do not verify themselves.

use actix_web::{HttpResponse, web};

use super::{
    UseCases,
    bodies::{TokenBody, TokenStateBody},
};
use crate::platform::{
    http::{Fields, Problem, authentication::refusal},
    tokens::TokenFault,
};

/// Tells whether an access token is accepted now, and what it stands for.
#[utoipa::path(
    post, path = "/auth/verify", tag = "auth", request_body = TokenBody,
    responses(
        (status = 200, description = "The token's state", body = TokenStateBody,
            example = json!({"active": true, "sub": "019…", "roles": ["user"], "permissions": [], "exp": 1_790_000_000})),
        (status = 422, description = "`validation-failed`"),
        (status = 503, description = "`revocation-unavailable` or `unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn verify(mut fields: Fields, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    let token = fields.required("token", |text| Ok(text.to_owned()));
    fields.finish()?;
    let state = match cases.verifier.verify(token.as_deref().unwrap_or_default()) {
        Ok(principal) => TokenStateBody {
            active: true,
            sub: Some(principal.subject.to_string()),
            roles: Some(principal.roles.clone()),
            permissions: Some(principal.scopes.clone()),
            exp: Some(principal.expires_at.timestamp()),
        },
        Err(TokenFault::Invalid(_)) => {
            TokenStateBody { active: false, sub: None, roles: None, permissions: None, exp: None }
        }
        Err(fault) => return Err(refusal(Some(&fault))),
    };
    Ok(HttpResponse::Ok().json(state))
}
