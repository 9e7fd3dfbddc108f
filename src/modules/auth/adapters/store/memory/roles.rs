//! Roles in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::modules::auth::{
    application::{PortError, RemovedRole, RoleRepository, SavedRole},
    domain::{Role, RoleCatalog, RoleName},
};

#[async_trait]
impl RoleRepository for MemoryStore {
    async fn catalog(&self) -> Result<RoleCatalog, PortError> {
        Ok(RoleCatalog::with_kept(self.state().roles.clone()))
    }

    async fn save(
        &self,
        name: &RoleName,
        role: &Role,
        unless_changed: Option<&Role>,
        _: DateTime<Utc>,
    ) -> Result<SavedRole, PortError> {
        let mut state = self.state();
        let mut catalog = RoleCatalog::with_kept(state.roles.clone());
        if unless_changed.is_some_and(|read| catalog.0.get(name) != Some(read)) {
            return Ok(SavedRole::Stale);
        }
        match catalog.put(name, role.clone()) {
            Err(faults) => Ok(SavedRole::Refused(faults)),
            Ok(is_new) => {
                state.roles.insert(name.clone(), role.clone());
                Ok(if is_new { SavedRole::Created } else { SavedRole::Replaced })
            }
        }
    }

    async fn remove(&self, name: &RoleName, unless_changed: Option<&Role>) -> Result<RemovedRole, PortError> {
        let mut state = self.state();
        let mut catalog = RoleCatalog::with_kept(state.roles.clone());
        let kept = catalog.0.get(name).cloned();
        if let Err(refusal) = catalog.remove(name) {
            return Ok(RemovedRole::Refused(refusal));
        }
        if unless_changed.is_some_and(|read| kept.as_ref() != Some(read)) {
            return Ok(RemovedRole::Stale);
        }
        if state.users.iter().any(|user| user.roles.contains(name)) {
            return Ok(RemovedRole::Held);
        }
        state.roles.remove(name);
        Ok(RemovedRole::Removed)
    }
}
