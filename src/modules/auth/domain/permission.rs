//! The name of a permission: `area:verb`, the same namespace as OAuth's scopes.

use crate::kernel::error::ValueFault;

/// The longest name.
const MAX_NAME: usize = 128;

/// A permission's name; what it permits is decided where it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission(String);

impl Permission {
    /// Reads a name: two parts of `a-z`, `0-9`, `.`, `_`, `-`, with a colon between them, at most 128 characters together.
    /// Fault: `invalid-permission`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let is_part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        };
        let is_name =
            text.len() <= MAX_NAME && text.split_once(':').is_some_and(|(area, verb)| is_part(area) && is_part(verb));
        let detail = "expected a name such as `orders:read`: lower-case letters, digits, `.`, `_`, `-` on both sides";
        is_name.then(|| Self(text.to_owned())).ok_or_else(|| ValueFault::new("invalid-permission", detail))
    }

    /// The name.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_two_plain_parts() {
        for right in ["users:read", "a:b", "team-7.x_y:write.all"] {
            assert_eq!(Permission::parse(right).unwrap().into_string(), right);
        }
        for wrong in ["", "users", ":read", "users:", "a:b:c", "Users:read", "users read:x", "ü:x", &"a:b".repeat(60)]
        {
            assert_eq!(Permission::parse(wrong).unwrap_err().code, "invalid-permission", "{wrong}");
        }
    }
}
