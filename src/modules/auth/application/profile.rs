//! A user looks at, and changes, the own account.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Audit, Failure, UserRepository};
use crate::{
    kernel::{Clock, UserId},
    modules::auth::{
        api::UserView,
        domain::{Actor, DisplayName, Origin, Outcome, User, UserStatus},
    },
};

/// A user as others see it.
pub(crate) fn view_of(user: &User) -> UserView {
    UserView {
        id: user.id,
        email: user.email.to_string(),
        email_verified: user.email_verified,
        display_name: user.display_name.as_ref().map(|name| name.as_str().to_owned()),
        status: user.status.as_str(),
        roles: user.role_names(),
        mfa_enabled: user.mfa_enabled,
        created_at: user.created_at,
        updated_at: user.updated_at,
    }
}

/// The use cases.
#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Profile {
    /// The user of an id; `NotFound` when deleted.
    pub(crate) async fn show(&self, id: UserId) -> Result<UserView, Failure> {
        let user = self.users.find(id).await?.filter(|user| user.status != UserStatus::Deleted);
        user.as_ref().map(view_of).ok_or(Failure::NotFound)
    }

    /// Sets or clears the name. `PreconditionFailed` when the user is no longer as `unless_changed_since` says.
    pub(crate) async fn rename(
        &self,
        id: UserId,
        name: Option<DisplayName>,
        unless_changed_since: Option<DateTime<Utc>>,
        origin: &Origin,
    ) -> Result<UserView, Failure> {
        let name = name.as_ref().map(DisplayName::as_str);
        if !self.users.rename(id, name, self.clock.now(), unless_changed_since).await? {
            self.show(id).await?;
            return Err(Failure::PreconditionFailed);
        }
        let line = self.audit.entry(Actor::User(id), origin, "user.updated", Outcome::Success);
        line.target("user", id).write().await;
        self.show(id).await
    }
}
