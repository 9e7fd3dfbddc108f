//! `/auth/sessions`: where the user is logged in.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use serde::Deserialize;

use super::{
    UseCases,
    bodies::{SessionBody, SessionsBody},
    counted, origin_of,
};
use crate::{
    kernel::PageRequest,
    modules::auth::application::Failure,
    platform::http::{Problem, authentication::Caller, problem::MALFORMED_REQUEST},
};

/// `?limit=&cursor=`, as texts: their faults are ours to tell.
#[derive(Deserialize)]
pub(super) struct PageQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

impl PageQuery {
    /// The page that is asked for; cursors are ids.
    pub(super) fn read(self) -> Result<PageRequest, Problem> {
        let limit = match self.limit.as_deref().map(str::parse::<u32>) {
            None => PageRequest::DEFAULT,
            Some(Ok(limit)) if (1..=PageRequest::MAX).contains(&limit) => limit,
            Some(_) => return Err(Problem::new(&MALFORMED_REQUEST, "limit: expected a number from 1 to 100")),
        };
        if self.cursor.as_deref().is_some_and(|cursor| cursor.parse::<uuid::Uuid>().is_err()) {
            return Err(Problem::new(&MALFORMED_REQUEST, "cursor: expected the `next_cursor` of a page"));
        }
        Ok(PageRequest { limit, cursor: self.cursor })
    }
}

/// The caller's living sessions, oldest first.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "auth", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "At most so many; 20 without it, 100 at most"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of sessions", body = SessionsBody),
        (status = 400, description = "`malformed-request`: `limit` or `cursor`"),
        (status = 401, description = "`unauthenticated`"),
    )
)]
pub(super) async fn list(
    caller: Caller,
    query: web::Query<PageQuery>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let page = cases.sessions.list(caller.owner()?, &query.into_inner().read()?).await?;
    let items = page.items.iter().map(|session| SessionBody::new(session, caller.0.session_id)).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(SessionsBody { items, next_cursor: page.next_cursor }))
}

/// Ends one of the caller's sessions; its access tokens stop working everywhere.
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path, description = "The session: its tokens' `sid`")),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 401, description = "`unauthenticated`"),
        (status = 404, description = "`not-found`: no living session of the caller"),
    )
)]
pub(super) async fn end(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    let ended = cases.sessions.end(caller.owner()?, id, &origin_of(&request)).await;
    counted("end_session", ended.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}
