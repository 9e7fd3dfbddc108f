//! `/users`: administration of accounts. Whoever lacks the permission gets the same answer for every id.

mod bodies;
pub(super) mod factors;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG, HeaderValue},
    web,
};
use secrecy::SecretString;

use self::bodies::{CreateUserBody, ReplaceUserBody, UserRolesBody, UsersBody, UsersQuery};
use super::{
    UseCases,
    bodies::UserBody,
    conditions::{names_version, tag_of_user},
    counted,
    idempotency::{Created, keyed, once},
    lists, origin_of,
};
use crate::{
    kernel::UserId,
    modules::auth::{
        api::{CreateUser, UserView},
        application::{Administrator, Failure, WhichUser},
        domain::{DisplayName, Email, PlainPassword},
    },
    platform::http::{
        Fields, Problem,
        authentication::Caller,
        body::{expect_json, read_bounded},
    },
};

/// Users by creation, oldest first; deleted ones only where they are asked for.
#[utoipa::path(
    get, path = "/users", tag = "users", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "At most so many; 20 without it, 100 at most"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
        ("q" = Option<String>, Query, description = "A part of the address or of the name, in any case"),
        ("status" = Option<String>, Query, description = "`pending`, `active`, `suspended` or `deleted`"),
        ("role" = Option<String>, Query, description = "A role that the user has itself"),
    ),
    responses(
        (status = 200, description = "A page of users", body = UsersBody),
        (status = 400, description = "`malformed-request`: a parameter"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: this needs `users:read`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn list(
    caller: Caller,
    query: web::Query<UsersQuery>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("users:read")?;
    let (filter, page) = query.into_inner().read()?;
    let page = cases.users.list(&filter, &page).await?;
    let items = page.items.into_iter().map(UserBody::from).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(UsersBody { items, next_cursor: page.next_cursor }))
}

/// Makes a user whose address counts as verified.
#[utoipa::path(
    post, path = "/users", tag = "users", security(("bearer" = [])), request_body = CreateUserBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again, the call answers as the first time")),
    responses(
        (status = 201, description = "The user is made", body = UserBody,
            headers(("Location" = String, description = "The user"), ("ETag" = String, description = "Its version"))),
        (status = 400, description = "`malformed-request`: the JSON or the `Idempotency-Key`"),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `users:write`, and the permissions of the roles given"),
        (status = 409, description = "`email-taken`, or `idempotency-key-in-use`"),
        (status = 422, description = "`validation-failed` or `idempotency-key-reused`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn create(
    request: HttpRequest,
    caller: Caller,
    payload: web::Payload,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("users:write")?;
    cases.step_up.demand_where_enrolled(&caller.0).await?;
    counted("create_user", run_create(&request, &caller, payload, &cases).await)
}

async fn run_create(
    request: &HttpRequest,
    caller: &Caller,
    payload: web::Payload,
    cases: &web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    expect_json(request)?;
    let body = read_bounded(request, payload.into_inner()).await?;
    let mut fields = Fields::parse(&body)?;
    let least = cases.settings.min_password_length;
    let email = fields.required("email", |text| Email::parse(text).map(|_| text.to_owned()));
    let password = fields
        .required("password", |text| PlainPassword::new(text, least).map(|_| SecretString::from(text.to_owned())));
    let display_name = fields.optional("display_name", |text| DisplayName::parse(text).map(|_| text.to_owned()));
    let roles = lists::strings(&mut fields, "roles").unwrap_or_default();
    fields.finish()?;
    let (Some(email), Some(password)) = (email, password) else { return Err(Problem::invalid(Vec::new())) };
    let command = CreateUser { email, password, display_name, roles, verified: true };
    let by = Administrator::of(&caller.0, origin_of(request));
    let call = keyed(request, caller, &body, Some("password"))?;
    let users = cases.users.clone();
    let work = async move {
        let user = users.create(&by, command).await?;
        let (location, etag) = (format!("/users/{}", user.id), Some(tag_of_user(&user)));
        let body = serde_json::to_value(UserBody::from(user)).map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(Created { location, etag, body })
    };
    once(cases, call, work).await
}

/// One user.
#[utoipa::path(
    get, path = "/users/{id}", tag = "users", security(("bearer" = [])),
    params(("id" = String, Path, description = "The user")),
    responses(
        (status = 200, description = "The user", body = UserBody, headers(("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: this needs `users:read`; the same for every id"),
        (status = 404, description = "`not-found`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn show(
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("users:read")?;
    Ok(answer(cases.users.show(read_id(&id)?).await?))
}

/// Sets the address and the name.
#[utoipa::path(
    put, path = "/users/{id}", tag = "users", security(("bearer" = [])), request_body = ReplaceUserBody,
    params(
        ("id" = String, Path, description = "The user"),
        ("If-Match" = Option<String>, Header, description = "The version to change"),
    ),
    responses(
        (status = 200, description = "The user as it is now", body = UserBody,
            headers(("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `users:write`, and every permission that the user has"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`email-taken`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 422, description = "`validation-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn replace(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    fields: Result<Fields, Problem>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("users:write")?;
    let mut fields = fields?;
    let email = fields.required("email", Email::parse);
    let display_name = fields.optional("display_name", DisplayName::parse);
    fields.finish()?;
    let email = email.ok_or_else(|| Problem::invalid(Vec::new()))?;
    let (by, which) = target(&request, &caller, &id, &cases).await?;
    let replaced = cases.users.replace(&by, which, email, display_name).await;
    Ok(answer(counted("update_user", replaced.map_err(Problem::from))?))
}

/// Deletes a user: sessions, access tokens and API keys end at once, the address is free again.
#[utoipa::path(
    delete, path = "/users/{id}", tag = "users", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The user"),
        ("If-Match" = Option<String>, Header, description = "The version to delete"),
    ),
    responses(
        (status = 204, description = "The user is deleted"),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `users:write`, and every permission that the user has"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`own-account` or `last-administrator`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn delete(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("users:write")?;
    let (by, which) = target(&request, &caller, &id, &cases).await?;
    counted("delete_user", cases.users.delete(&by, which).await.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Suspends a user: no login, and sessions, access tokens and API keys end at once.
#[utoipa::path(
    post, path = "/users/{id}/suspend", tag = "users", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The user"),
        ("If-Match" = Option<String>, Header, description = "The version to change"),
    ),
    responses(
        (status = 200, description = "The user as it is now", body = UserBody,
            headers(("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `users:write`, and every permission that the user has"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`own-account` or `last-administrator`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn suspend(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("users:write")?;
    let (by, which) = target(&request, &caller, &id, &cases).await?;
    let suspended = cases.users.suspend(&by, which).await;
    Ok(answer(counted("suspend_user", suspended.map_err(Problem::from))?))
}

/// Lets a user log in again; one whose address was not verified yet, for the first time.
#[utoipa::path(
    post, path = "/users/{id}/activate", tag = "users", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The user"),
        ("If-Match" = Option<String>, Header, description = "The version to change"),
    ),
    responses(
        (status = 200, description = "The user as it is now", body = UserBody,
            headers(("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `users:write`, and every permission that the user has"),
        (status = 404, description = "`not-found`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn activate(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("users:write")?;
    let (by, which) = target(&request, &caller, &id, &cases).await?;
    let activated = cases.users.activate(&by, which).await;
    Ok(answer(counted("activate_user", activated.map_err(Problem::from))?))
}

/// Gives a user these roles and no others. They show in the user's next token.
#[utoipa::path(
    put, path = "/users/{id}/roles", tag = "users", security(("bearer" = [])), request_body = UserRolesBody,
    params(
        ("id" = String, Path, description = "The user"),
        ("If-Match" = Option<String>, Header, description = "The version to change"),
    ),
    responses(
        (status = 200, description = "The user as it is now", body = UserBody,
            headers(("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `users:write`, and every permission that the user has or gets"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`last-administrator`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 422, description = "`validation-failed`; `unknown-role` among its errors"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn set_roles(
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    fields: Result<Fields, Problem>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("users:write")?;
    let mut fields = fields?;
    let roles = lists::required_strings(&mut fields, "roles");
    fields.finish()?;
    let (by, which) = target(&request, &caller, &id, &cases).await?;
    let changed = cases.users.set_roles(&by, which, &roles.unwrap_or_default()).await;
    Ok(answer(counted("set_user_roles", changed.map_err(Problem::from))?))
}

/// Who acts, having shown every factor a moment ago, and on which user in which version.
async fn target(
    request: &HttpRequest,
    caller: &Caller,
    id: &str,
    cases: &UseCases,
) -> Result<(Administrator, WhichUser), Problem> {
    cases.step_up.demand_where_enrolled(&caller.0).await?;
    let id = read_id(id)?;
    let user = cases.users.show(id).await?;
    let names_version = names_version(request, &tag_of_user(&user))?;
    let unless_changed_since = names_version.then_some(user.updated_at);
    Ok((Administrator::of(&caller.0, origin_of(request)), WhichUser { id, unless_changed_since }))
}

/// What is no id is nobody's.
fn read_id(text: &str) -> Result<UserId, Problem> {
    Ok(text.parse().map_err(|_| Failure::NotFound)?)
}

fn answer(user: UserView) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, tag_of_user(&user)))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(UserBody::from(user))
}
