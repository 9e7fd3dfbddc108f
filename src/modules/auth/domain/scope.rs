//! Scopes: what a token may do, as a set of names (RFC 6749 §3.3).

use std::{collections::BTreeSet, fmt};

use crate::kernel::error::ValueFault;

/// The scope that makes a grant a login (OpenID Connect Core 1.0 §3.1.2.1).
pub(crate) const OPENID: &str = "openid";
/// The user's name.
pub(crate) const PROFILE: &str = "profile";
/// The user's address.
pub(crate) const EMAIL: &str = "email";
/// The scope that gives a refresh token (OpenID Connect Core 1.0 §11).
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";
/// The scopes that speak of a user. Every other scope is the name of a permission.
pub(crate) const USER_SCOPES: [&str; 4] = [OPENID, PROFILE, EMAIL, OFFLINE_ACCESS];

/// The most names in one set, and the longest name.
const MAX_SCOPES: usize = 100;
const MAX_LENGTH: usize = 128;

/// A set of scopes; its text form is in order, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Reads names separated by spaces. Fault: `invalid-scope`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        Self::of(text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned))
    }

    /// A set of these names. Fault: `invalid-scope`.
    pub(crate) fn of(names: impl IntoIterator<Item = String>) -> Result<Self, ValueFault> {
        let names: BTreeSet<String> = names.into_iter().take(MAX_SCOPES + 1).collect();
        if names.len() > MAX_SCOPES {
            return Err(ValueFault::new("invalid-scope", format!("expected at most {MAX_SCOPES} scopes")));
        }
        if !names.iter().all(|name| is_scope(name)) {
            let expected = format!("a scope is 1 to {MAX_LENGTH} printable characters without space, quote or \\");
            return Err(ValueFault::new("invalid-scope", expected));
        }
        Ok(Self(names))
    }

    /// Whether this scope is among them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// The names in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Those that fulfil a condition.
    #[must_use]
    pub(crate) fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|name| keep(name)).cloned().collect())
    }

    /// Whether each of them is among the others.
    pub(crate) fn are_within(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }
}

/// RFC 6749 §3.3: `scope-token`.
fn is_scope(name: &str) -> bool {
    (1..=MAX_LENGTH).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, name) in self.0.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { " " })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set_in_order() {
        let scopes = Scopes::parse("profile openid  profile").unwrap();
        assert_eq!(scopes.to_string(), "openid profile");
        assert!(scopes.has("openid") && !scopes.has("open"));
        assert!(Scopes::parse("").unwrap().0.is_empty());
        assert!(Scopes::parse("openid").unwrap().are_within(&scopes));
        assert!(!Scopes::parse("openid email").unwrap().are_within(&scopes));
    }

    #[test]
    fn names_are_printable_and_few() {
        for wrong in ["a\"b", "a\\b", "a\tb", "ä", &"a".repeat(129)] {
            assert_eq!(Scopes::parse(wrong).unwrap_err().code, "invalid-scope", "{wrong}");
        }
        let many: Vec<_> = (0..101).map(|number| number.to_string()).collect();
        assert_eq!(Scopes::parse(&many.join(" ")).unwrap_err().code, "invalid-scope");
    }
}
