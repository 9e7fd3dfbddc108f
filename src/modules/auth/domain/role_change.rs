//! How the roles may change: what a role names exists, nothing inherits from itself, and what the product itself gives to
//! administrators stays theirs.

use std::collections::BTreeSet;

use super::{ADMIN_PERMISSIONS, Role, RoleCatalog, RoleName};

/// The most roles there are.
const MAX_ROLES: usize = 1_000;

/// What is wrong with a role that is to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RoleFault {
    /// It inherits from a role that does not exist.
    UnknownRole(RoleName),
    /// It would inherit from itself, by way of this role.
    Circle(RoleName),
    /// It is `admin`, and would lose this permission.
    Needed(&'static str),
    /// There are too many roles already.
    TooMany,
}

/// Why a role cannot be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RemovalRefusal {
    /// There is none of this name.
    NotFound,
    /// It is one of the product's own.
    BuiltIn,
    /// This role inherits from it.
    Inherited(RoleName),
}

impl RoleName {
    /// Whether it is one of the product's own roles, which exist always.
    pub(crate) fn is_built_in(&self) -> bool {
        [Self::admin(), Self::user()].contains(self)
    }
}

impl RoleCatalog {
    /// The built-in roles, and the roles that are kept. A kept row of a built-in role adds to it: what a new version of
    /// the product gives to administrators is theirs at once.
    pub(crate) fn with_kept(kept: impl IntoIterator<Item = (RoleName, Role)>) -> Self {
        let built_in = Self::built_in();
        let mut catalog = built_in.clone();
        for (name, mut role) in kept {
            if let Some(own) = built_in.0.get(&name) {
                role.permissions.extend(own.permissions.iter().cloned());
            }
            catalog.0.insert(name, role);
        }
        catalog
    }

    /// Adds or replaces a role, or tells every fault and changes nothing. `true`: the role is new.
    pub(crate) fn put(&mut self, name: &RoleName, role: Role) -> Result<bool, Vec<RoleFault>> {
        let is_new = !self.0.contains_key(name);
        let mut faults: Vec<_> = role.inherits.iter().filter_map(|parent| self.fault_of(name, parent)).collect();
        if *name == RoleName::admin() {
            let lost = ADMIN_PERMISSIONS.into_iter().filter(|needed| !role.permissions.contains(*needed));
            faults.extend(lost.map(RoleFault::Needed));
        }
        if is_new && self.0.len() >= MAX_ROLES {
            faults.push(RoleFault::TooMany);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        self.0.insert(name.clone(), role);
        Ok(is_new)
    }

    /// What is wrong with `parent` as something that `name` inherits from.
    fn fault_of(&self, name: &RoleName, parent: &RoleName) -> Option<RoleFault> {
        if parent == name || self.inherited_by(parent).contains(name) {
            return Some(RoleFault::Circle(parent.clone()));
        }
        (!self.0.contains_key(parent)).then(|| RoleFault::UnknownRole(parent.clone()))
    }

    /// Every role that `name` inherits from, near and far.
    fn inherited_by(&self, name: &RoleName) -> BTreeSet<RoleName> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![name];
        while let Some(role) = waiting.pop().and_then(|name| self.0.get(name)) {
            waiting.extend(role.inherits.iter().filter(|parent| found.insert((*parent).clone())));
        }
        found
    }

    /// Removes a role, or tells why not.
    pub(crate) fn remove(&mut self, name: &RoleName) -> Result<(), RemovalRefusal> {
        if name.is_built_in() {
            return Err(RemovalRefusal::BuiltIn);
        }
        if !self.0.contains_key(name) {
            return Err(RemovalRefusal::NotFound);
        }
        if let Some((heir, _)) = self.0.iter().find(|(_, role)| role.inherits.contains(name)) {
            return Err(RemovalRefusal::Inherited(heir.clone()));
        }
        self.0.remove(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> RoleName {
        RoleName::parse(text).unwrap()
    }

    fn role(permissions: &[&str], inherits: &[&str]) -> Role {
        Role {
            permissions: permissions.iter().map(ToString::to_string).collect(),
            inherits: inherits.iter().map(|parent| name(parent)).collect(),
        }
    }

    #[test]
    fn every_fault_of_a_role_is_told_and_nothing_changes() {
        let mut catalog = RoleCatalog::built_in();
        assert_eq!(catalog.put(&name("a"), role(&["x:y"], &["user"])), Ok(true));
        assert_eq!(catalog.put(&name("b"), role(&[], &["a"])), Ok(true));
        let before = catalog.clone();
        let faults = catalog.put(&name("a"), role(&[], &["a", "b", "none"])).unwrap_err();
        assert_eq!(
            faults,
            [RoleFault::Circle(name("a")), RoleFault::Circle(name("b")), RoleFault::UnknownRole(name("none"))]
        );
        let faults = catalog.put(&RoleName::admin(), role(&["users:read"], &[])).unwrap_err();
        assert!(
            faults.contains(&RoleFault::Needed("roles:write")) && !faults.contains(&RoleFault::Needed("users:read"))
        );
        assert_eq!(catalog, before);
        let mut more = catalog.0[&RoleName::admin()].clone();
        more.permissions.insert("orders:read".to_owned());
        assert_eq!(catalog.put(&RoleName::admin(), more), Ok(false), "administrators may get more");
    }

    #[test]
    fn what_is_needed_cannot_be_removed() {
        let mut catalog = RoleCatalog::with_kept([(name("a"), role(&[], &[])), (name("b"), role(&[], &["a"]))]);
        assert_eq!(catalog.remove(&RoleName::user()), Err(RemovalRefusal::BuiltIn));
        assert_eq!(catalog.remove(&name("c")), Err(RemovalRefusal::NotFound));
        assert_eq!(catalog.remove(&name("a")), Err(RemovalRefusal::Inherited(name("b"))));
        assert_eq!(catalog.remove(&name("b")), Ok(()));
        assert_eq!(catalog.remove(&name("a")), Ok(()));
        assert_eq!(catalog, RoleCatalog::built_in());
    }

    #[test]
    fn a_kept_row_adds_to_a_built_in_role() {
        let catalog = RoleCatalog::with_kept([(RoleName::admin(), role(&["orders:read"], &[]))]);
        let permissions = catalog.permissions_of(&[RoleName::admin()]);
        assert!(ADMIN_PERMISSIONS.iter().all(|needed| permissions.iter().any(|held| held == needed)));
        assert!(permissions.iter().any(|held| held == "orders:read"));
    }

    proptest! {
        /// Whatever is put, in whatever order: nothing inherits from itself, what is inherited exists, and a role permits
        /// its own permissions and exactly those of what it inherits.
        #[test]
        fn composition_holds(puts in prop::collection::vec((0u8..6, prop::collection::vec(0u8..6, 0..4)), 0..40)) {
            let named = |number: u8| name(&format!("r{number}"));
            let mut catalog = RoleCatalog::built_in();
            for (number, parents) in puts {
                let role = Role {
                    permissions: [format!("r{number}:use")].into(),
                    inherits: parents.iter().map(|parent| named(*parent)).collect(),
                };
                let _ = catalog.put(&named(number), role);
            }
            for (name, role) in &catalog.0 {
                prop_assert!(!catalog.inherited_by(name).contains(name));
                prop_assert!(role.inherits.iter().all(|parent| catalog.0.contains_key(parent)));
                let mut expected = role.permissions.clone();
                for parent in &role.inherits {
                    expected.extend(catalog.permissions_of(std::slice::from_ref(parent)));
                }
                let composed = catalog.permissions_of(std::slice::from_ref(name));
                prop_assert!(composed.is_sorted());
                prop_assert_eq!(composed, expected.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
