//! Roles and what they permit.

use crate::kernel::error::ValueFault;

/// The role of administrators.
pub(crate) const ADMIN: RoleName = RoleName("admin");
/// The role of everybody.
pub(crate) const USER: RoleName = RoleName("user");

/// A role that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RoleName(&'static str);

impl RoleName {
    /// Reads the name of a role. Fault: `unknown-role`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        [ADMIN, USER].into_iter().find(|role| role.0 == text).ok_or_else(|| {
            ValueFault::new("unknown-role", format!("there is no role {text:?}; expected admin or user"))
        })
    }

    /// The name.
    pub(crate) fn as_str(self) -> &'static str {
        self.0
    }

    fn permissions(self) -> &'static [&'static str] {
        if self == ADMIN {
            return &[
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
        }
        &[]
    }
}

/// What these roles permit together, in order, each once.
pub(crate) fn permissions_of(roles: &[RoleName]) -> Vec<&'static str> {
    let mut permissions: Vec<_> = roles.iter().flat_map(|role| role.permissions()).copied().collect();
    permissions.sort_unstable();
    permissions.dedup();
    permissions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_add_up_without_repeats() {
        assert!(permissions_of(&[USER]).is_empty());
        assert_eq!(permissions_of(&[ADMIN]), permissions_of(&[USER, ADMIN, ADMIN]));
        assert!(permissions_of(&[ADMIN]).contains(&"users:write"));
        assert_eq!(RoleName::parse("root").unwrap_err().code, "unknown-role");
    }
}
