//! What `/users` takes and gives.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    kernel::PageRequest,
    modules::auth::{
        adapters::http::{bodies::UserBody, lists},
        application::UserFilter,
        domain::{RoleName, UserStatus},
    },
    platform::http::Problem,
};

/// The longest `?q=`, in characters.
const LONGEST_SEARCH: usize = 100;

/// What `POST /users` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(in crate::modules::auth::adapters::http) struct CreateUserBody {
    /// The address; it counts as verified.
    #[schema(format = "email", example = "grace@example.com")]
    email: String,
    /// 8 to 1024 characters; the least is configured.
    #[schema(format = "password", example = "correct horse battery staple")]
    password: String,
    /// The name to show.
    #[schema(example = "Grace Hopper")]
    display_name: Option<String>,
    /// Role names; without them: `user`.
    #[schema(example = json!(["user"]))]
    roles: Option<Vec<String>>,
}

/// What `PUT /users/{id}` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(in crate::modules::auth::adapters::http) struct ReplaceUserBody {
    /// The address; another one than before counts as verified.
    #[schema(format = "email", example = "grace@example.com")]
    email: String,
    /// The name to show; absent or null: none.
    #[schema(example = "Grace Hopper")]
    display_name: Option<String>,
}

/// What `PUT /users/{id}/roles` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(in crate::modules::auth::adapters::http) struct UserRolesBody {
    /// Role names; none: `user`.
    #[schema(example = json!(["user", "admin"]))]
    roles: Vec<String>,
}

/// A page of users.
#[derive(Serialize, ToSchema)]
pub(in crate::modules::auth::adapters::http) struct UsersBody {
    pub(super) items: Vec<UserBody>,
    /// Where the next page begins; null on the last.
    pub(super) next_cursor: Option<String>,
}

/// The query of the list, as texts: their faults are ours to tell.
#[derive(Deserialize)]
pub(in crate::modules::auth::adapters::http) struct UsersQuery {
    limit: Option<String>,
    cursor: Option<String>,
    q: Option<String>,
    status: Option<String>,
    role: Option<String>,
}

impl UsersQuery {
    pub(super) fn read(self) -> Result<(UserFilter, PageRequest), Problem> {
        let page = lists::page(self.limit.as_deref(), self.cursor)?;
        let text = self.q.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST_SEARCH || text.contains('\0')) {
            return Err(lists::wrong("q", "at most 100 characters"));
        }
        let status = self.status.as_deref().map(UserStatus::parse).transpose();
        let status = status.map_err(|_| lists::wrong("status", "pending, active, suspended or deleted"))?;
        let role = self.role.as_deref().map(RoleName::parse).transpose();
        let role = role.map_err(|_| lists::wrong("role", "the name of a role"))?;
        Ok((UserFilter { text, status, role }, page))
    }
}
