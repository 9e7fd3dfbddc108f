//! What other roles' processes ask for. The front door does not lead here.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::UseCases;
use crate::{
    modules::auth::remote::{RevocationsBody, RevokedBody},
    platform::http::Problem,
};

#[derive(Deserialize)]
pub(super) struct After {
    after: Option<String>,
}

/// `GET /internal/auth/revocations?after=`: a stretch of the revocation feed.
pub(super) async fn revocations(query: web::Query<After>, cases: web::Data<UseCases>) -> Result<HttpResponse, Problem> {
    let revocations = cases.api.revocations(query.into_inner().after).await?;
    let sessions = revocations.sessions.into_iter().map(|(id, until)| RevokedBody { id, until }).collect();
    Ok(HttpResponse::Ok().json(RevocationsBody { sessions, cursor: revocations.cursor }))
}
