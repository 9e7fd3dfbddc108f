//! Roles.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::modules::auth::domain::{RemovalRefusal, Role, RoleCatalog, RoleFault, RoleName};

/// What became of a role that was to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SavedRole {
    /// It is there, and was not before.
    Created,
    /// It stands in the place of the former one.
    Replaced,
    /// It is no longer as the caller had read it.
    Stale,
    /// It has faults; nothing changed.
    Refused(Vec<RoleFault>),
}

/// What became of a role that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RemovedRole {
    /// It is gone.
    Removed,
    /// It is no longer as the caller had read it.
    Stale,
    /// Some user has it.
    Held,
    /// It cannot go.
    Refused(RemovalRefusal),
}

/// Where roles are kept.
#[async_trait]
pub(crate) trait RoleRepository: Send + Sync {
    /// Every role as it is now, `admin` and `user` among them.
    async fn catalog(&self) -> Result<RoleCatalog, PortError>;
    /// Adds or replaces a role. MUST judge it by [`RoleCatalog::put`] against the roles as they are at the moment of the
    /// change, so that two at once do not make a circle. With `unless_changed`, only if the role is that still.
    async fn save(
        &self,
        name: &RoleName,
        role: &Role,
        unless_changed: Option<&Role>,
        now: DateTime<Utc>,
    ) -> Result<SavedRole, PortError>;
    /// Removes a role, judged by [`RoleCatalog::remove`] in the same way. MUST refuse one that a user has, and one that a
    /// user gets at the same time.
    async fn remove(&self, name: &RoleName, unless_changed: Option<&Role>) -> Result<RemovedRole, PortError>;
}
