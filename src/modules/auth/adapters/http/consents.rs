//! `/auth/consents`: what the user allowed which client.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{UseCases, counted, origin_of, sessions::PageQuery};
use crate::platform::http::{Problem, authentication::Caller};

/// What a user allowed a client.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentBody {
    /// The client.
    client_id: String,
    /// Its name.
    client_name: String,
    /// Everything that was allowed so far.
    scopes: Vec<String>,
    /// When it was first allowed.
    granted_at: DateTime<Utc>,
    /// When more was.
    updated_at: DateTime<Utc>,
}

/// A page of them.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentsBody {
    items: Vec<ConsentBody>,
    /// For the next page; null at the end.
    next_cursor: Option<String>,
}

/// The caller's consents, by client.
#[utoipa::path(
    get, path = "/auth/consents", tag = "auth", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "At most so many; 20 without it, 100 at most"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of consents", body = ConsentsBody),
        (status = 400, description = "`malformed-request`: `limit` or `cursor`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: not the token of a login with address and password"),
    )
)]
pub(super) async fn list(
    caller: Caller,
    query: web::Query<PageQuery>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let page = cases.user_facing.consents.list(caller.owner()?, &query.into_inner().read()?).await?;
    let items = page.items.into_iter().map(|(consent, client_name)| ConsentBody {
        client_id: consent.client_id,
        client_name,
        scopes: consent.scopes.into_iter().collect(),
        granted_at: consent.granted_at,
        updated_at: consent.updated_at,
    });
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(ConsentsBody { items: items.collect(), next_cursor: page.next_cursor }))
}

/// Takes a consent back; the client's tokens of this user stop working everywhere.
#[utoipa::path(
    delete, path = "/auth/consents/{client_id}", tag = "auth", security(("bearer" = [])),
    params(("client_id" = String, Path, description = "The client")),
    responses(
        (status = 204, description = "It is taken back"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: not the token of a login with address and password"),
        (status = 404, description = "`not-found`: there is none"),
    )
)]
pub(super) async fn revoke(
    caller: Caller,
    request: HttpRequest,
    client_id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let done = cases.user_facing.consents.revoke(caller.owner()?, &client_id, &origin_of(&request)).await;
    counted("revoke_consent", done.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}
