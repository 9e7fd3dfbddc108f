//! Roles, what they permit, and how they inherit from each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::kernel::error::ValueFault;

/// What administrators may do.
pub(crate) const ADMIN_PERMISSIONS: [&str; 10] = [
    "aggregation:explain",
    "audit:read",
    "clients:read",
    "clients:write",
    "gateway:read",
    "gateway:write",
    "roles:read",
    "roles:write",
    "users:read",
    "users:write",
];

/// The longest name of a role.
const MAX_NAME: usize = 64;

/// The name of a role, which may or may not exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RoleName(Arc<str>);

impl RoleName {
    /// Reads a name: 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.`, a letter first. Fault: `invalid-role`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let is_name = text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.len() <= MAX_NAME
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        let fault = || {
            ValueFault::new(
                "invalid-role",
                "expected 1 to 64 lower-case letters, digits, `-`, `_`, `.`, a letter first",
            )
        };
        is_name.then(|| Self(text.into())).ok_or_else(fault)
    }

    /// The role of administrators.
    pub(crate) fn admin() -> Self {
        Self("admin".into())
    }

    /// The role of everybody.
    pub(crate) fn user() -> Self {
        Self("user".into())
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a role permits: its own permissions and those of the roles that it inherits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Role {
    /// Permission names.
    pub(crate) permissions: BTreeSet<String>,
    /// The roles whose permissions it has too.
    pub(crate) inherits: BTreeSet<RoleName>,
}

/// Every role that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RoleCatalog(pub(crate) BTreeMap<RoleName, Role>);

impl RoleCatalog {
    /// The roles that are there from the beginning: `admin` and `user`.
    pub(crate) fn built_in() -> Self {
        let admin =
            Role { permissions: ADMIN_PERMISSIONS.map(str::to_owned).into(), inherits: [RoleName::user()].into() };
        Self([(RoleName::admin(), admin), (RoleName::user(), Role::default())].into())
    }

    /// What these roles permit together, in order, each once. Roles that do not exist permit nothing; a circle of
    /// inheritance, which nobody can make, would end all the same.
    pub(crate) fn permissions_of(&self, roles: &[RoleName]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&RoleName> = roles.iter().collect();
        let mut permissions = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            let Some(role) = self.0.get(name).filter(|_| seen.insert(name)) else { continue };
            permissions.extend(role.permissions.iter().cloned());
            waiting.extend(&role.inherits);
        }
        permissions.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_add_up_along_inheritance_without_repeats() {
        let mut catalog = RoleCatalog::built_in();
        assert!(catalog.permissions_of(&[RoleName::user()]).is_empty());
        assert_eq!(
            catalog.permissions_of(&[RoleName::admin()]),
            catalog.permissions_of(&[RoleName::user(), RoleName::admin(), RoleName::admin()])
        );
        let editor = RoleName::parse("editor").unwrap();
        let chief = RoleName::parse("chief").unwrap();
        catalog.0.insert(
            editor.clone(),
            Role { permissions: ["texts:write".to_owned()].into(), inherits: [chief.clone()].into() },
        );
        catalog
            .0
            .insert(chief.clone(), Role { permissions: ["texts:print".to_owned()].into(), inherits: [editor].into() });
        assert_eq!(catalog.permissions_of(&[chief]), ["texts:print", "texts:write"]);
    }

    #[test]
    fn names_are_short_and_plain() {
        for wrong in ["", "Admin", "1st", "a b", "-a", &"a".repeat(65)] {
            assert_eq!(RoleName::parse(wrong).unwrap_err().code, "invalid-role", "{wrong}");
        }
        assert_eq!(RoleName::parse("team-7.lead").unwrap().as_str(), "team-7.lead");
    }
}
