//! API keys: long-lived credentials that programs use in their owner's name, within what the owner may.

use std::{collections::BTreeSet, fmt::Write as _};

use chrono::{DateTime, Utc};

use super::{ADMIN_PERMISSIONS, DisplayName, RoleCatalog, RoleName};
use crate::kernel::{API_KEY_PREFIX, ApiKeyId, UserId, error::ValueFault};

/// The most scopes of one key.
const MOST_SCOPES: usize = 100;
/// How much of a key is shown for its owner to recognise.
const HINT_LENGTH: usize = API_KEY_PREFIX.len() + 8;

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiKey {
    pub(crate) id: ApiKeyId,
    pub(crate) user_id: UserId,
    /// What its owner calls it.
    pub(crate) name: DisplayName,
    /// How it begins.
    pub(crate) hint: String,
    /// Permission names.
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) last_used_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// Whether it has expired.
    pub(crate) fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// A new key's text: the prefix, 32 random bytes, and a checksum by which a mistyped key is told from an unknown one.
/// `digest` is SHA-256 in hexadecimal.
pub(crate) fn key_text(random: &[u8; 32], digest: impl Fn(&str) -> String) -> String {
    let text = random.iter().fold(API_KEY_PREFIX.to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let checksum = digest(&text);
    text + checksum.get(..8).unwrap_or_default()
}

/// How a key begins.
pub(crate) fn hint_of(key: &str) -> String {
    key.chars().take(HINT_LENGTH).collect()
}

/// What a key may name of what is asked for: permissions that exist, and that its owner has. Faults, by position:
/// `unknown-scope`, `scope-not-held`, and `too-many` for the list as a whole.
pub(crate) fn scopes_for(
    asked: &[String],
    held: &[String],
    catalog: &RoleCatalog,
) -> Result<BTreeSet<String>, Vec<(Option<usize>, ValueFault)>> {
    if asked.len() > MOST_SCOPES {
        return Err(vec![(None, ValueFault::new("too-many", "a key has at most 100 scopes"))]);
    }
    let mut faults = Vec::new();
    for (index, scope) in asked.iter().enumerate() {
        let fault = if held.contains(scope) {
            continue;
        } else if is_permission(scope, catalog) {
            ValueFault::new("scope-not-held", format!("you do not have the permission {scope:?} yourself"))
        } else {
            ValueFault::new("unknown-scope", format!("there is no permission {scope:?}"))
        };
        faults.push((Some(index), fault));
    }
    if faults.is_empty() { Ok(asked.iter().cloned().collect()) } else { Err(faults) }
}

fn is_permission(scope: &str, catalog: &RoleCatalog) -> bool {
    ADMIN_PERMISSIONS.contains(&scope) || catalog.0.values().any(|role| role.permissions.contains(scope))
}

/// What a key gives its bearer now: the permissions that it names and its owner still has, and those of the owner's roles
/// whose permissions it names altogether. So a key never stands for a role that can do more than the key may.
pub(crate) fn effective(
    scopes: &BTreeSet<String>,
    roles: &[RoleName],
    catalog: &RoleCatalog,
) -> (Vec<String>, Vec<String>) {
    let held = catalog.permissions_of(roles);
    let permissions: Vec<String> = held.into_iter().filter(|permission| scopes.contains(permission)).collect();
    let is_covered = |role: &&RoleName| {
        let needs = catalog.permissions_of(std::slice::from_ref(*role));
        needs.iter().all(|permission| scopes.contains(permission))
    };
    let roles = roles.iter().filter(is_covered).map(|role| role.as_str().to_owned()).collect();
    (roles, permissions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(scopes: &[&str]) -> Vec<String> {
        scopes.iter().map(|scope| (*scope).to_owned()).collect()
    }

    #[test]
    fn scopes_are_permissions_that_the_owner_has() {
        let catalog = RoleCatalog::built_in();
        let held = named(&["users:read"]);
        let asked = named(&["users:read", "users:write", "fly", "users:read"]);
        let faults = scopes_for(&asked, &held, &catalog).unwrap_err();
        let faults: Vec<_> = faults.iter().map(|(index, fault)| (index.unwrap(), fault.code)).collect();
        assert_eq!(faults, [(1, "scope-not-held"), (2, "unknown-scope")]);
        let many = vec!["users:read".to_owned(); 101];
        assert_eq!(scopes_for(&many, &held, &catalog).unwrap_err()[0].1.code, "too-many");
        assert_eq!(scopes_for(&asked[3..], &held, &catalog).unwrap().len(), 1);
        assert!(scopes_for(&[], &held, &catalog).unwrap().is_empty());
    }

    #[test]
    fn a_key_stands_for_a_role_only_when_it_may_all_that_the_role_may() {
        let catalog = RoleCatalog::built_in();
        let roles = [RoleName::admin(), RoleName::user()];
        let some: BTreeSet<_> = named(&["users:read", "lost:since"]).into_iter().collect();
        assert_eq!(effective(&some, &roles, &catalog), (named(&["user"]), named(&["users:read"])));
        let all: BTreeSet<_> = ADMIN_PERMISSIONS.iter().map(|&scope| scope.to_owned()).collect();
        assert_eq!(effective(&all, &roles, &catalog), (named(&["admin", "user"]), named(&ADMIN_PERMISSIONS)));
        assert_eq!(effective(&all, &[RoleName::user()], &catalog), (named(&["user"]), vec![]), "the owner was demoted");
    }

    proptest! {
        #[test]
        fn a_key_is_its_prefix_its_secret_and_a_checksum(random: [u8; 32]) {
            let key = key_text(&random, |text| format!("{:08x}{:056x}", text.len(), 0));
            prop_assert!(key.starts_with("vk_") && key.len() == 3 + 64 + 8 && key.ends_with("00000043"));
            prop_assert_eq!(hint_of(&key), &key[..11]);
        }
    }
}
