//! `/roles`: what each role permits, and what it inherits.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, ETAG, HeaderValue, LOCATION},
    },
    web,
};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{UseCases, conditions::names_version, counted, lists, origin_of};
use crate::{
    kernel::{FieldFault, PageRequest},
    modules::auth::{
        application::{Administrator, Failure, NamedRole, RoleTexts},
        domain::{Role, RoleName},
    },
    platform::http::{Fields, Problem, authentication::Caller},
};

/// A role.
#[derive(Serialize, ToSchema)]
pub(super) struct RoleBody {
    /// The name.
    #[schema(example = "editor")]
    name: String,
    /// Its own permissions.
    #[schema(example = json!(["texts:read", "texts:write"]))]
    permissions: Vec<String>,
    /// The roles whose permissions it has too.
    #[schema(example = json!(["user"]))]
    inherits: Vec<String>,
    /// Whether it is one of the product's own, which exist always.
    built_in: bool,
}

impl From<NamedRole> for RoleBody {
    fn from((name, role): NamedRole) -> Self {
        Self {
            name: name.as_str().to_owned(),
            permissions: role.permissions.into_iter().collect(),
            inherits: role.inherits.iter().map(|parent| parent.as_str().to_owned()).collect(),
            built_in: name.is_built_in(),
        }
    }
}

/// What `PUT /roles/{name}` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct SaveRoleBody {
    /// Names such as `texts:write`. `admin` keeps all that the product knows.
    #[schema(example = json!(["texts:read", "texts:write"]))]
    permissions: Vec<String>,
    /// The roles whose permissions it has too; absent: none.
    #[schema(example = json!(["user"]))]
    inherits: Option<Vec<String>>,
}

/// A page of roles.
#[derive(Serialize, ToSchema)]
pub(super) struct RolesBody {
    items: Vec<RoleBody>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// The query of the list, as texts: their faults are ours to tell.
#[derive(Deserialize)]
pub(super) struct RolesQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

/// Roles by name.
#[utoipa::path(
    get, path = "/roles", tag = "users", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "At most so many; 20 without it, 100 at most"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of roles", body = RolesBody),
        (status = 400, description = "`malformed-request`: a parameter"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: this needs `roles:read`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn list(
    caller: Caller,
    query: web::Query<RolesQuery>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("roles:read")?;
    let RolesQuery { limit, cursor } = query.into_inner();
    if cursor.as_deref().is_some_and(|cursor| RoleName::parse(cursor).is_err()) {
        return Err(lists::wrong("cursor", "the `next_cursor` of a page"));
    }
    let page = cases.roles.list(&PageRequest { limit: lists::limit(limit.as_deref())?, cursor }).await?;
    let items = page.items.into_iter().map(RoleBody::from).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(RolesBody { items, next_cursor: page.next_cursor }))
}

/// One role.
#[utoipa::path(
    get, path = "/roles/{name}", tag = "users", security(("bearer" = [])),
    params(("name" = String, Path, description = "The role")),
    responses(
        (status = 200, description = "The role", body = RoleBody, headers(("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`forbidden`: this needs `roles:read`"),
        (status = 404, description = "`not-found`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn show(
    caller: Caller,
    name: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("roles:read")?;
    let name = RoleName::parse(&name).map_err(|_| Failure::RoleNotFound)?;
    let role = cases.roles.show(&name).await?;
    Ok(answer(StatusCode::OK, name, role))
}

/// Adds or replaces a role. The change shows in the next tokens of those who have it.
#[utoipa::path(
    put, path = "/roles/{name}", tag = "users", security(("bearer" = [])), request_body = SaveRoleBody,
    params(
        ("name" = String, Path, description = "1 to 64 lower-case letters, digits, `-`, `_`, `.`, a letter first"),
        ("If-Match" = Option<String>, Header, description = "The version to replace"),
    ),
    responses(
        (status = 200, description = "The role is replaced", body = RoleBody,
            headers(("ETag" = String, description = "Its version"))),
        (status = 201, description = "The role is new", body = RoleBody,
            headers(("Location" = String, description = "The role"), ("ETag" = String, description = "Its version"))),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `roles:write`, and every permission that the role gives"),
        (status = 412, description = "`precondition-failed`"),
        (status = 422, description = "`validation-failed`; `unknown-role`, `circular`, `needed` among its errors"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn save(
    request: HttpRequest,
    caller: Caller,
    name: web::Path<String>,
    fields: Result<Fields, Problem>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("roles:write")?;
    cases.step_up.demand_where_enrolled(&caller.0).await?;
    let mut fields = fields?;
    let name = RoleName::parse(&name).map_err(|fault| fields.fault_at("", fault.code, fault.detail)).ok();
    let permissions = lists::required_strings(&mut fields, "permissions");
    let inherits = lists::strings(&mut fields, "inherits");
    fields.finish()?;
    let name = name.ok_or_else(|| Problem::invalid(vec![FieldFault::new("", "invalid-role", "no name of a role")]))?;
    let texts = RoleTexts { permissions: permissions.unwrap_or_default(), inherits: inherits.unwrap_or_default() };
    let before = version_named(&request, &cases, &name).await?;
    let by = Administrator::of(&caller.0, origin_of(&request));
    let saved = cases.roles.save(&by, &name, &texts, before.as_ref()).await;
    let (role, is_new) = counted("save_role", saved.map_err(Problem::from))?;
    Ok(answer(if is_new { StatusCode::CREATED } else { StatusCode::OK }, name, role))
}

/// Removes a role that no user has and no role inherits from.
#[utoipa::path(
    delete, path = "/roles/{name}", tag = "users", security(("bearer" = [])),
    params(
        ("name" = String, Path, description = "The role"),
        ("If-Match" = Option<String>, Header, description = "The version to remove"),
    ),
    responses(
        (status = 204, description = "The role is gone"),
        (status = 401, description = "`unauthenticated`; `step-up-required` of a user with a second factor"),
        (status = 403, description = "`forbidden`: this needs `roles:write`, and every permission that the role gives"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`role-in-use` or `built-in-role`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`unavailable`, with `Retry-After`"),
    )
)]
pub(super) async fn delete(
    request: HttpRequest,
    caller: Caller,
    name: web::Path<String>,
    cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    caller.must("roles:write")?;
    cases.step_up.demand_where_enrolled(&caller.0).await?;
    let name = RoleName::parse(&name).map_err(|_| Failure::RoleNotFound)?;
    let before = version_named(&request, &cases, &name).await?;
    let by = Administrator::of(&caller.0, origin_of(&request));
    let removed = cases.roles.remove(&by, &name, before.as_ref()).await;
    counted("delete_role", removed.map_err(Problem::from))?;
    Ok(HttpResponse::NoContent().finish())
}

/// The role as the caller has read it, when the caller says which version that is.
async fn version_named(request: &HttpRequest, cases: &UseCases, name: &RoleName) -> Result<Option<Role>, Problem> {
    match cases.roles.show(name).await {
        Ok(role) => Ok(names_version(request, &tag(&role))?.then_some(role)),
        // No version matches what is not there.
        Err(Failure::RoleNotFound) => names_version(request, "\"\"")
            .and_then(|named| if named { Err(Failure::PreconditionFailed.into()) } else { Ok(None) }),
        Err(failure) => Err(failure.into()),
    }
}

fn answer(status: StatusCode, name: RoleName, role: Role) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header((ETAG, tag(&role)));
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    if status == StatusCode::CREATED {
        response.insert_header((LOCATION, format!("/roles/{name}")));
    }
    response.json(RoleBody::from((name, role)))
}

/// A role's version is what it says.
fn tag(role: &Role) -> String {
    let names =
        role.permissions.iter().map(String::as_str).chain([""]).chain(role.inherits.iter().map(RoleName::as_str));
    let content = digest(&SHA256, names.collect::<Vec<_>>().join(" ").as_bytes());
    let start = content.as_ref().first_chunk().map_or(0, |start| u128::from_be_bytes(*start));
    format!("\"{start:032x}\"")
}
