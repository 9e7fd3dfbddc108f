//! What other roles' processes ask for. The front door does not lead here.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::UseCases;
use crate::{
    kernel::Principal,
    modules::auth::remote::{ApiKeyBody, PrincipalBody, RevocationsBody, RevokedBody},
    platform::http::{Problem, Sibling},
};

#[derive(Deserialize)]
pub(super) struct After {
    after: Option<String>,
    #[serde(default)]
    wait_ms: u64,
}

/// No caller holds a connection longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// `GET /internal/auth/revocations?after=&wait_ms=`: a stretch of the revocation feed.
pub(super) async fn revocations(
    _: Sibling,
    query: web::Query<After>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let After { after, wait_ms } = query.into_inner();
    let wait = Duration::from_millis(wait_ms).min(LONGEST_WAIT);
    let revocations = cases.api.revocations(after, wait).await?;
    let sessions = revocations.sessions.into_iter().map(|(id, until)| RevokedBody { id, until }).collect();
    Ok(HttpResponse::Ok().json(RevocationsBody { sessions, cursor: revocations.cursor, keys: revocations.keys }))
}

/// `GET /internal/auth/api-keys/{digest}`: whom an API key stands for.
pub(super) async fn api_key(
    _: Sibling,
    digest: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let principal = cases.api.api_key(&digest).await?.and_then(owner_of);
    Ok(HttpResponse::Ok().json(ApiKeyBody { principal }))
}

/// Whom the key stands for; its owner is always a user.
fn owner_of(principal: Principal) -> Option<PrincipalBody> {
    Some(PrincipalBody {
        key_id: principal.session_id,
        user_id: principal.user()?,
        email: principal.email,
        roles: principal.roles,
        scopes: principal.scopes,
        expires_at: Some(principal.expires_at).filter(|at| *at != DateTime::<Utc>::MAX_UTC),
    })
}
