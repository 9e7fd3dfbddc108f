//! `/clients`: administration of OAuth clients.

mod body;

use actix_web::{
    FromRequest as _, HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, TRANSFER_ENCODING},
    },
    web,
};
use chrono::TimeDelta;

use self::body::{ClientBody, ClientsBody, NewClientBody, RotationBody, WishBody};
use super::{
    UseCases,
    conditions::{names_version, tag_of_time},
    counted,
    idempotency::{Created, keyed, once},
    oauth::answer::unstored,
    origin_of, resource,
    sessions::PageQuery,
};
use crate::{
    kernel::units::Span,
    modules::auth::{
        application::{Administrator, Failure, client_view},
        domain::{Client, ClientProof},
    },
    platform::http::{
        Fields, Problem,
        authentication::Caller,
        body::{expect_json, read_bounded},
    },
};

const READ: &str = "clients:read";
const WRITE: &str = "clients:write";

/// Adds the routes.
pub(super) fn configure(service: &mut web::ServiceConfig) {
    service
        .service(resource("/clients", "GET, POST").route(web::get().to(list)).route(web::post().to(create)))
        .service(
            resource("/clients/{id}", "GET, PUT, DELETE")
                .route(web::get().to(show))
                .route(web::put().to(replace))
                .route(web::delete().to(delete)),
        )
        .service(resource("/clients/{id}/rotate-secret", "POST").route(web::post().to(rotate_secret)));
}

/// Every client, oldest first.
#[utoipa::path(
    get, path = "/clients", tag = "oauth", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "At most so many; 20 without it, 100 at most"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of clients", body = ClientsBody),
        (status = 400, description = "`malformed-request`: `limit` or `cursor`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: this needs `clients:read`"),
        (status = 503, description = "`unavailable` or `revocation-unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn list(
    caller: Caller,
    query: web::Query<PageQuery>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must(READ)?;
    let page = cases.clients.list(&query.into_inner().read()?).await?;
    let items = page.items.iter().map(|client| ClientBody::from(client_view(client))).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(ClientsBody { items, next_cursor: page.next_cursor }))
}

/// Registers a client. Its secret is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/clients", tag = "oauth", security(("bearer" = [])), request_body = WishBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same key, it is made once")),
    responses(
        (status = 201, description = "The client, with its secret when it has one", body = NewClientBody,
            headers(("Location" = String, description = "The client"), ("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `clients:write`, and the permissions that the client is given"),
        (status = 409, description = "`idempotency-key-in-use`"),
        (status = 422, description = "`validation-failed` or `idempotency-key-reused`"),
        (status = 503, description = "`unavailable` or `revocation-unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn create(
    request: HttpRequest,
    caller: Caller,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must(WRITE)?;
    cases.step_up.demand_where_enrolled(&caller.0).await?;
    counted("create_client", run_create(&request, &caller, payload, &cases).await)
}

async fn run_create(
    request: &HttpRequest,
    caller: &Caller,
    payload: web::Payload,
    cases: &web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    expect_json(request)?;
    let sent = read_bounded(request, payload.into_inner()).await?;
    let mut fields = Fields::parse(&sent)?;
    let wish = WishBody::read(&mut fields);
    let draft = body::finish(fields, cases.clients.read(&wish))?;
    let by = administrator(request, caller);
    let call = keyed(request, caller, &sent, None)?;
    let clients = cases.clients.clone();
    let work = async move {
        let (client, secret) = clients.create(&by, draft).await?;
        let (location, etag) = (format!("/clients/{}", client.id), Some(tag_of_time(client.updated_at)));
        let body = serde_json::to_value(NewClientBody::new(client_view(&client), secret));
        Ok(Created { location, etag, body: body.map_err(|error| Failure::Internal(error.to_string()))? })
    };
    once(cases, call, work).await
}

/// One client.
#[utoipa::path(
    get, path = "/clients/{id}", tag = "oauth", security(("bearer" = [])),
    params(("id" = String, Path, description = "The `client_id`")),
    responses(
        (status = 200, description = "The client", body = ClientBody, headers(("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: this needs `clients:read`"),
        (status = 404, description = "`not-found`"),
        (status = 503, description = "`unavailable` or `revocation-unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn show(
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must(READ)?;
    Ok(answer(&cases.clients.show(&id).await?))
}

/// Replaces a client. How it authenticates stays as it is; a client that signs may have new keys.
#[utoipa::path(
    put, path = "/clients/{id}", tag = "oauth", security(("bearer" = [])), request_body = WishBody,
    params(
        ("id" = String, Path, description = "The `client_id`"),
        ("If-Match" = Option<String>, Header, description = "The version to replace"),
    ),
    responses(
        (status = 200, description = "The client as it is now", body = ClientBody, headers(("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `clients:write`, and the permissions that the client is given"),
        (status = 404, description = "`not-found`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 422, description = "`validation-failed`"),
        (status = 503, description = "`unavailable` or `revocation-unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn replace(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    mut fields: Fields,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must(WRITE)?;
    cases.step_up.demand_where_enrolled(&caller.0).await?;
    let client = cases.clients.show(&id).await?;
    must_match(&request, &client)?;
    let mut wish = WishBody::read(&mut fields);
    let own = client.proof.method();
    match (wish.token_endpoint_auth_method.as_deref(), &client.proof) {
        (None | Some("client_secret_basic" | "client_secret_post"), ClientProof::Secret(_)) => {}
        (Some(method), _) if method != own => {
            fields.fault("token_endpoint_auth_method", "fixed", format!("it stays {own}; make another client"));
        }
        _ => {}
    }
    wish.token_endpoint_auth_method = Some(own.to_owned());
    if let (None, ClientProof::PrivateKey(jwks)) = (&wish.jwks, &client.proof) {
        wish.jwks = Some(jwks.clone());
    }
    let draft = cases.clients.read(&wish);
    let draft = body::finish(fields, draft)?;
    let changed = cases.clients.replace(&administrator(&request, &caller), &client, draft).await;
    Ok(answer(&counted("replace_client", changed.map_err(Problem::from))?))
}

/// Removes a client. Its sessions end, and its tokens stop working everywhere.
#[utoipa::path(
    delete, path = "/clients/{id}", tag = "oauth", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The `client_id`"),
        ("If-Match" = Option<String>, Header, description = "The version to remove"),
    ),
    responses(
        (status = 204, description = "The client is gone"),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `clients:write`"),
        (status = 404, description = "`not-found`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`unavailable` or `revocation-unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn delete(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must(WRITE)?;
    cases.step_up.demand_where_enrolled(&caller.0).await?;
    must_match(&request, &cases.clients.show(&id).await?)?;
    let deleted = cases.clients.delete(&administrator(&request, &caller), &id).await;
    counted("delete_client", deleted.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Gives a client a new secret, which is in this answer and nowhere else.
///
/// The secret before stops working at once, or after `keep_old_for`.
#[utoipa::path(
    post, path = "/clients/{id}/rotate-secret", tag = "oauth", security(("bearer" = [])), request_body = RotationBody,
    params(("id" = String, Path, description = "The `client_id`")),
    responses(
        (status = 200, description = "The client, with its secret", body = NewClientBody),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `clients:write`, and the permissions that the client has"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`conflict`: the client has no secret"),
        (status = 412, description = "`precondition-failed`: it was changed at the same moment"),
        (status = 422, description = "`validation-failed`"),
        (status = 503, description = "`unavailable` or `revocation-unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn rotate_secret(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must(WRITE)?;
    cases.step_up.demand_where_enrolled(&caller.0).await?;
    // The body may be left out altogether.
    let mut fields = if request.headers().contains_key(CONTENT_TYPE) || has_body(&request) {
        Fields::from_request(&request, &mut payload.into_inner()).await?
    } else {
        Fields::parse(b"{}")?
    };
    let overlap = fields.optional("keep_old_for", body::overlap);
    fields.finish()?;
    let overlap = TimeDelta::from_std(overlap.unwrap_or(Span::secs(0)).get()).unwrap_or(TimeDelta::zero());
    let rotated = cases.clients.rotate_secret(&administrator(&request, &caller), &id, overlap).await;
    let (client, secret) = counted("rotate_client_secret", rotated.map_err(Problem::from))?;
    Ok(unstored(StatusCode::OK)
        .insert_header((ETAG, tag_of_time(client.updated_at)))
        .json(NewClientBody::new(client_view(&client), Some(secret))))
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

fn administrator(request: &HttpRequest, caller: &Caller) -> Administrator {
    Administrator::of(&caller.0, origin_of(request))
}

fn answer(client: &Client) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, tag_of_time(client.updated_at)))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(ClientBody::from(client_view(client)))
}

/// A version is asked for, or not at all.
fn must_match(request: &HttpRequest, client: &Client) -> Result<(), Problem> {
    names_version(request, &tag_of_time(client.updated_at)).map(|_| ())
}
