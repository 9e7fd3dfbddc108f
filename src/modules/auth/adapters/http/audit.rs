//! `GET /audit`: who did what, when, from where.

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{UseCases, bodies::rfc3339, lists};
use crate::{
    kernel::PageRequest,
    modules::auth::{application::AuditFilter, domain::AuditEntry},
    platform::http::{Problem, authentication::Caller},
};

/// A line of the audit log.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditEntryBody {
    /// The id: a UUIDv7.
    id: uuid::Uuid,
    /// When.
    #[schema(value_type = String, format = "date-time")]
    at: String,
    /// Who.
    actor: ActorBody,
    /// What, as `noun.verb`.
    #[schema(example = "user.suspended")]
    action: String,
    /// `success` or `failure`.
    #[schema(example = "success")]
    outcome: &'static str,
    /// To whom or what.
    target: Option<TargetBody>,
    /// The client's address.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
    /// What the client called itself.
    #[schema(example = "curl/8.14.1")]
    user_agent: Option<String>,
    /// The request's id, as in the log.
    request_id: Option<String>,
    /// What else matters; never a secret.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
}

/// Who acted.
#[derive(Serialize, ToSchema)]
pub(super) struct ActorBody {
    /// `anonymous`, `user`, `client`, `command-line` or `system`.
    #[schema(example = "user")]
    r#type: &'static str,
    /// The id, of users and clients.
    id: Option<String>,
}

/// What was acted on.
#[derive(Serialize, ToSchema)]
pub(super) struct TargetBody {
    /// Such as `user`, `session`, `role`.
    #[schema(example = "user")]
    r#type: String,
    /// Its id or name.
    id: String,
}

impl From<AuditEntry> for AuditEntryBody {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: rfc3339(entry.at),
            actor: ActorBody { r#type: entry.actor.kind(), id: entry.actor.id() },
            action: entry.action,
            outcome: entry.outcome.as_str(),
            target: entry.target.map(|(kind, id)| TargetBody { r#type: kind, id }),
            address: entry.origin.address.map(|address| address.to_string()),
            user_agent: entry.origin.user_agent,
            request_id: entry.origin.request_id,
            details: entry.details,
        }
    }
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditBody {
    items: Vec<AuditEntryBody>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// The query, as texts: their faults are ours to tell.
#[derive(Deserialize)]
pub(super) struct AuditQuery {
    limit: Option<String>,
    cursor: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    target: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

impl AuditQuery {
    fn read(self) -> Result<(AuditFilter, PageRequest), Problem> {
        let page = lists::page(self.limit.as_deref(), self.cursor)?;
        let named = |text: Option<String>, name: &str| match text {
            Some(text) if text.is_empty() || text.len() > 256 || text.contains('\0') => {
                Err(lists::wrong(name, "1 to 256 characters"))
            }
            text => Ok(text),
        };
        let time = |text: Option<String>, name: &str| {
            let read = text.as_deref().map(DateTime::parse_from_rfc3339).transpose();
            let read = read.map_err(|_| lists::wrong(name, "a time such as 2026-01-31T12:00:00Z"))?;
            Ok::<_, Problem>(read.map(|time| time.with_timezone(&Utc)))
        };
        let filter = AuditFilter {
            actor: named(self.actor, "actor")?,
            action: named(self.action, "action")?,
            target: named(self.target, "target")?,
            since: time(self.since, "since")?,
            until: time(self.until, "until")?,
        };
        Ok((filter, page))
    }
}

/// The audit log, newest first.
#[utoipa::path(
    get, path = "/audit", tag = "audit", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "At most so many; 20 without it, 100 at most"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
        ("actor" = Option<String>, Query, description = "The id of who acted"),
        ("action" = Option<String>, Query, description = "The action, or its beginning up to the dot: `login.`"),
        ("target" = Option<String>, Query, description = "The id of what was acted on"),
        ("since" = Option<String>, Query, description = "Not before this time (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Before this time (RFC 3339)"),
    ),
    responses(
        (status = 200, description = "A page of the audit log", body = AuditBody),
        (status = 400, description = "`malformed-request`: a parameter"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: this needs `audit:read`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn list(
    caller: Caller,
    query: web::Query<AuditQuery>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("audit:read")?;
    let (filter, page) = query.into_inner().read()?;
    let page = cases.audit.read(&filter, &page).await?;
    let items = page.items.into_iter().map(AuditEntryBody::from).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(AuditBody { items, next_cursor: page.next_cursor }))
}
