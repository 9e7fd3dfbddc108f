//! Users as administrators see and change them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{PortError, RevokedSession};
use crate::{
    kernel::{Page, PageRequest, UserId},
    modules::auth::domain::{RoleName, User, UserChange, UserStatus},
};

/// Which users; every part that is there must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UserFilter {
    /// A part of the address or of the name, in any case: of ASCII letters everywhere, of others where the database knows
    /// them.
    pub(crate) text: Option<String>,
    /// The status; without it, everybody who is not deleted.
    pub(crate) status: Option<UserStatus>,
    /// A role that the user has itself.
    pub(crate) role: Option<RoleName>,
}

/// A change of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Administered {
    /// Whose.
    pub(crate) user: UserId,
    /// What.
    pub(crate) change: UserChange,
    /// Now.
    pub(crate) at: DateTime<Utc>,
    /// When the last access token of a session that ends has expired.
    pub(crate) tokens_until: DateTime<Utc>,
    /// The version that the caller has read.
    pub(crate) unless_changed_since: Option<DateTime<Utc>>,
    /// Whether a change that leaves no administrator is refused.
    pub(crate) keeps_an_administrator: bool,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It is made.
    Done {
        /// The user as it is now.
        user: User,
        /// The sessions that ended with it.
        ended: Vec<RevokedSession>,
    },
    /// There is no such user, or it is deleted.
    NotFound,
    /// It has changed since it was read.
    Stale,
    /// Another user has the address.
    EmailTaken,
    /// Nobody could administer any more.
    LastAdministrator,
    /// One of the roles does not exist, or no longer.
    UnknownRole,
}

/// Where users are found and changed by others.
#[async_trait]
pub(crate) trait UserDirectory: Send + Sync {
    /// Users by id, which is by creation; cursors are ids.
    async fn list(&self, filter: &UserFilter, page: &PageRequest) -> Result<Page<User>, PortError>;
    /// Makes a change by [`UserChange::apply`] and all that follows from it (sessions end, mailed links are void) at once,
    /// or nothing of it. Two changes at once MUST NOT both find the other's administrator still there. A role that is
    /// given MUST exist when the change is made.
    async fn change(&self, change: &Administered) -> Result<Changed, PortError>;
}
