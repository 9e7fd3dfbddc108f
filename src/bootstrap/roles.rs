//! Which roles this binary has, and which of them a process plays.

use std::{collections::BTreeSet, fmt};

use crate::kernel::Role;

/// The roles that are compiled in.
pub fn compiled_in() -> RoleSet {
    let has = |role| match role {
        Role::Auth => cfg!(feature = "auth"),
        Role::Gateway => cfg!(feature = "gateway"),
        Role::Aggregation => cfg!(feature = "aggregation"),
    };
    RoleSet(Role::ALL.into_iter().filter(|role| has(*role)).collect())
}

/// A set of roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSet(BTreeSet<Role>);

impl RoleSet {
    /// The asked-for roles, all of them compiled in; none asked for: all there are.
    pub fn choose(asked: &[Role]) -> Result<Self, String> {
        let available = compiled_in();
        if asked.is_empty() {
            return Ok(available);
        }
        match asked.iter().find(|role| !available.has(**role)) {
            Some(missing) => Err(format!("role `{missing}` is not compiled into this binary; it has {available}")),
            None => Ok(Self(asked.iter().copied().collect())),
        }
    }

    /// Whether the role is in the set.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// The only role of the set.
    pub fn only(&self) -> Option<Role> {
        if self.0.len() == 1 { self.0.first().copied() } else { None }
    }

    /// The roles, in order.
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }

    /// How the process calls itself in logs, metrics and health.
    pub fn service(&self) -> &'static str {
        self.only().map_or("vestibule", Role::as_str)
    }
}

impl fmt::Display for RoleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", "))
    }
}
