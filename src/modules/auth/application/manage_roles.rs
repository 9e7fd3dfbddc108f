//! Roles: what each permits, and what it inherits. A change shows in the next token.

use std::{collections::BTreeSet, sync::Arc};

use super::{Administrator, Audit, Failure, RemovedRole, RoleRepository, SavedRole};
use crate::{
    kernel::{Clock, FieldFault, Page, PageRequest},
    modules::auth::domain::{Outcome, Permission, RemovalRefusal, Role, RoleCatalog, RoleFault, RoleName},
};

/// The most permissions of one role, and the most roles that it inherits.
const MOST: usize = 200;

/// The use cases.
#[derive(Clone)]
pub(crate) struct ManageRoles {
    pub(crate) store: Arc<dyn RoleRepository>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A role with its name.
pub(crate) type NamedRole = (RoleName, Role);

/// What a caller says of a role, as texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleTexts {
    pub(crate) permissions: Vec<String>,
    pub(crate) inherits: Vec<String>,
}

impl ManageRoles {
    /// Roles by name; cursors are names.
    pub(crate) async fn list(&self, page: &PageRequest) -> Result<Page<NamedRole>, Failure> {
        let catalog = self.store.catalog().await?;
        let is_after = |name: &RoleName| page.cursor.as_deref().is_none_or(|after| name.as_str() > after);
        let mut rest = catalog.0.into_iter().filter(|(name, _)| is_after(name));
        let items: Vec<_> = rest.by_ref().take(page.limit as usize).collect();
        let next_cursor = rest.next().and(items.last()).map(|(name, _)| name.as_str().to_owned());
        Ok(Page { items, next_cursor })
    }

    /// The role of a name.
    pub(crate) async fn show(&self, name: &RoleName) -> Result<Role, Failure> {
        self.store.catalog().await?.0.remove(name).ok_or(Failure::RoleNotFound)
    }

    /// Adds or replaces a role; `true`: it is new. Nobody makes a role that permits more than the own token does, nor
    /// changes one that does.
    pub(crate) async fn save(
        &self,
        by: &Administrator,
        name: &RoleName,
        texts: &RoleTexts,
        unless_changed: Option<&Role>,
    ) -> Result<(Role, bool), Failure> {
        let role = read(texts)?;
        let catalog = self.store.catalog().await?;
        by.must_hold(&permitted(&catalog, name, &role))?;
        let saved = self.store.save(name, &role, unless_changed, self.clock.now()).await?;
        let is_new = match saved {
            SavedRole::Created => true,
            SavedRole::Replaced => false,
            SavedRole::Stale => return Err(Failure::PreconditionFailed),
            SavedRole::Refused(faults) => {
                return Err(Failure::Invalid(faults.iter().map(|fault| told(fault, texts)).collect()));
            }
        };
        tracing::info!(event = "role_saved", role = %name, is_new);
        let line = self.audit.entry(by.actor.clone(), &by.origin, "role.saved", Outcome::Success);
        let line = line.target("role", name).detail("permissions", texts.permissions.clone());
        line.detail("inherits", texts.inherits.clone()).write().await;
        Ok((role, is_new))
    }

    /// Removes a role that nobody has and nothing inherits from.
    pub(crate) async fn remove(
        &self,
        by: &Administrator,
        name: &RoleName,
        unless_changed: Option<&Role>,
    ) -> Result<(), Failure> {
        let catalog = self.store.catalog().await?;
        by.must_hold(&permitted(&catalog, name, &Role::default()))?;
        match self.store.remove(name, unless_changed).await? {
            RemovedRole::Removed => {}
            RemovedRole::Stale => return Err(Failure::PreconditionFailed),
            RemovedRole::Held => return Err(Failure::RoleInUse("a user has this role".to_owned())),
            RemovedRole::Refused(RemovalRefusal::NotFound) => return Err(Failure::RoleNotFound),
            RemovedRole::Refused(RemovalRefusal::BuiltIn) => return Err(Failure::BuiltInRole),
            RemovedRole::Refused(RemovalRefusal::Inherited(heir)) => {
                return Err(Failure::RoleInUse(format!("the role {heir} inherits from it")));
            }
        }
        tracing::info!(event = "role_deleted", role = %name);
        let line = self.audit.entry(by.actor.clone(), &by.origin, "role.deleted", Outcome::Success);
        line.target("role", name).write().await;
        Ok(())
    }
}

/// What a role permits as it is and as it would be, inheritance included.
fn permitted(catalog: &RoleCatalog, name: &RoleName, role: &Role) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = catalog.permissions_of(std::slice::from_ref(name)).into_iter().collect();
    all.extend(role.permissions.iter().cloned());
    let parents: Vec<_> = role.inherits.iter().cloned().collect();
    all.extend(catalog.permissions_of(&parents));
    all
}

fn read(texts: &RoleTexts) -> Result<Role, Failure> {
    let mut faults = Vec::new();
    let mut role = Role::default();
    for (member, texts) in [("permissions", &texts.permissions), ("inherits", &texts.inherits)] {
        if texts.len() > MOST {
            faults.push(FieldFault::new(format!("/{member}"), "too-many", format!("expected at most {MOST}")));
            return Err(Failure::Invalid(faults));
        }
    }
    for (place, text) in texts.permissions.iter().enumerate() {
        match Permission::parse(text) {
            Ok(permission) => drop(role.permissions.insert(permission.into_string())),
            Err(fault) => faults.push(FieldFault::new(format!("/permissions/{place}"), fault.code, fault.detail)),
        }
    }
    for (place, text) in texts.inherits.iter().enumerate() {
        match RoleName::parse(text) {
            Ok(parent) => drop(role.inherits.insert(parent)),
            Err(fault) => faults.push(FieldFault::new(format!("/inherits/{place}"), fault.code, fault.detail)),
        }
    }
    if faults.is_empty() { Ok(role) } else { Err(Failure::Invalid(faults)) }
}

/// A fault with the place where the caller wrote it.
fn told(fault: &RoleFault, texts: &RoleTexts) -> FieldFault {
    let at = |role: &RoleName| {
        let place = texts.inherits.iter().position(|text| text == role.as_str());
        place.map_or_else(|| "/inherits".to_owned(), |place| format!("/inherits/{place}"))
    };
    match fault {
        RoleFault::UnknownRole(role) => FieldFault::new(at(role), "unknown-role", format!("there is no role {role}")),
        RoleFault::Circle(role) => {
            FieldFault::new(at(role), "circular", format!("{role} is the role itself, or inherits from it"))
        }
        RoleFault::Needed(permission) => {
            FieldFault::new("/permissions", "needed", format!("`admin` keeps {permission}"))
        }
        RoleFault::TooMany => FieldFault::new("", "too-many", "there are too many roles already"),
    }
}
