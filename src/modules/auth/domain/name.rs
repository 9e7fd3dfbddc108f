//! The name a user is shown by.

use crate::kernel::error::ValueFault;

/// 1 to 100 characters without control characters, without white space around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DisplayName(String);

impl DisplayName {
    /// Reads a name. Faults: `empty`, `too-long`, `control-character`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ValueFault::new("empty", "expected a name of at least one character"));
        }
        if text.chars().count() > 100 {
            return Err(ValueFault::new("too-long", "a name has at most 100 characters"));
        }
        if text.chars().any(char::is_control) {
            return Err(ValueFault::new("control-character", "a name has no control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_bounded() {
        assert_eq!(DisplayName::parse("  Ada Lovelace ").unwrap().as_str(), "Ada Lovelace");
        assert_eq!(DisplayName::parse(" \t").unwrap_err().code, "empty");
        assert_eq!(DisplayName::parse(&"ü".repeat(101)).unwrap_err().code, "too-long");
        assert_eq!(DisplayName::parse("a\u{0}b").unwrap_err().code, "control-character");
    }
}
