//! `/auth/api-keys`: what a user lets programs do in its name.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    UseCases,
    bodies::rfc3339,
    counted,
    idempotency::{Created, keyed, once},
    lists, origin_of,
    sessions::PageQuery,
};
use crate::{
    kernel::{ApiKeyId, UserId, error::ValueFault},
    modules::auth::{
        application::{Failure, NewApiKey},
        domain::{ApiKey, DisplayName},
    },
    platform::http::{
        Fields, Problem,
        authentication::Caller,
        body::{expect_json, read_bounded},
    },
};

/// What `POST /auth/api-keys` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct NewApiKeyBody {
    /// What its owner calls it.
    #[schema(example = "nightly export")]
    name: String,
    /// Permission names; each must be one of the owner's own. Without any the key only says whose it is.
    #[schema(example = json!(["users:read"]))]
    scopes: Vec<String>,
    /// When it stops working; absent: never.
    #[schema(format = "date-time")]
    expires_at: Option<String>,
}

/// An API key.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeyBody {
    /// The id: a UUIDv7.
    id: uuid::Uuid,
    /// What its owner calls it.
    #[schema(example = "nightly export")]
    name: String,
    /// The key itself: in the answer that makes it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "vk_…")]
    key: Option<String>,
    /// How the key begins.
    #[schema(example = "vk_5f2b01c9")]
    hint: String,
    /// Permission names. It may do what its owner may and these name.
    #[schema(example = json!(["users:read"]))]
    scopes: Vec<String>,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: String,
    /// When it stops working; null: never.
    #[schema(value_type = Option<String>, format = "date-time")]
    expires_at: Option<String>,
    /// When it was last used, to the minute; null: not yet.
    #[schema(value_type = Option<String>, format = "date-time")]
    last_used_at: Option<String>,
}

/// A page of API keys.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeysBody {
    items: Vec<ApiKeyBody>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

impl From<ApiKey> for ApiKeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.0,
            name: key.name.as_str().to_owned(),
            key: None,
            hint: key.hint,
            scopes: key.scopes.into_iter().collect(),
            created_at: rfc3339(key.created_at),
            expires_at: key.expires_at.map(rfc3339),
            last_used_at: key.last_used_at.map(rfc3339),
        }
    }
}

/// Makes an API key for the caller. It is sent as `X-Api-Key`.
#[utoipa::path(
    post, path = "/auth/api-keys", tag = "auth", security(("bearer" = [])), request_body = NewApiKeyBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again, the call answers as the first time")),
    responses(
        (status = 201, description = "The key; its text is told this once", body = ApiKeyBody,
            headers(("Location" = String, description = "Where it is"))),
        (status = 400, description = "`malformed-request`: the JSON or the `Idempotency-Key`"),
        (status = 401, description = "`unauthenticated`, or `step-up-required` when the login was too long ago"),
        (status = 403, description = "`forbidden`: an API key or a client's token makes no keys"),
        (status = 409, description = "`too-many-api-keys`, or `idempotency-key-in-use`"),
        (status = 422, description = "`validation-failed`, of scopes `unknown-scope` and `scope-not-held`; or `idempotency-key-reused`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn create(
    request: HttpRequest,
    caller: Caller,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let owner = caller.owner()?;
    cases.step_up.demand(&caller.0).await?;
    counted("create_api_key", run_create(&request, &caller, owner, payload, &cases).await)
}

async fn run_create(
    request: &HttpRequest,
    caller: &Caller,
    owner: UserId,
    payload: web::Payload,
    cases: &web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    expect_json(request)?;
    let body = read_bounded(request, payload.into_inner()).await?;
    let mut fields = Fields::parse(&body)?;
    let name = fields.required("name", DisplayName::parse);
    let scopes = lists::required_strings(&mut fields, "scopes");
    let expires_at = fields.optional("expires_at", time);
    fields.finish()?;
    let (Some(name), Some(scopes)) = (name, scopes) else { return Err(Problem::invalid(Vec::new())) };
    let call = keyed(request, caller, &body, None)?;
    let (keys, origin) = (cases.api_keys.clone(), origin_of(request));
    let work = async move {
        let (key, text) = keys.create(owner, NewApiKey { name, scopes, expires_at }, &origin).await?;
        let location = format!("/auth/api-keys/{}", key.id);
        let body = ApiKeyBody { key: Some(text.expose_secret().to_owned()), ..key.into() };
        let body = serde_json::to_value(body).map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(Created { location, etag: None, body })
    };
    once(cases, call, work).await
}

/// The caller's API keys, oldest first.
#[utoipa::path(
    get, path = "/auth/api-keys", tag = "auth", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "At most so many; 20 without it, 100 at most"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of keys", body = ApiKeysBody),
        (status = 400, description = "`malformed-request`: `limit` or `cursor`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: not with an API key or a client's token"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn list(
    caller: Caller,
    query: web::Query<PageQuery>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let page = cases.api_keys.list(caller.owner()?, &query.into_inner().read()?).await?;
    let items = page.items.into_iter().map(ApiKeyBody::from).collect();
    Ok(private(&ApiKeysBody { items, next_cursor: page.next_cursor }))
}

/// One of the caller's API keys.
#[utoipa::path(
    get, path = "/auth/api-keys/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 200, description = "The key, without its text", body = ApiKeyBody),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: not with an API key or a client's token"),
        (status = 404, description = "`not-found`: no key of the caller"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn show(
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let key = cases.api_keys.show(caller.owner()?, id_of(&id)?).await?;
    Ok(private(&ApiKeyBody::from(key)))
}

/// Revokes one of the caller's API keys; it stops working everywhere at once.
#[utoipa::path(
    delete, path = "/auth/api-keys/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 204, description = "The key works no longer"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: not with an API key or a client's token"),
        (status = 404, description = "`not-found`: no key of the caller"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn revoke(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    let owner = caller.owner()?;
    let revoked = cases.api_keys.revoke(owner, id_of(&id)?, &origin_of(&request)).await;
    counted("revoke_api_key", revoked.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}

fn private(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store"))).json(body)
}

fn id_of(text: &str) -> Result<ApiKeyId, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}

/// RFC 3339, to the microsecond.
fn time(text: &str) -> Result<DateTime<Utc>, ValueFault> {
    let expected = |_| ValueFault::new("invalid-time", "expected a time such as 2030-01-31T12:00:00Z (RFC 3339)");
    let time = DateTime::parse_from_rfc3339(text).map_err(expected)?.to_utc();
    Ok(chrono::SubsecRound::trunc_subsecs(time, 6))
}
