//! Passwords, as they are typed and as they are kept.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use crate::kernel::error::ValueFault;

/// The most code points of a password; more would only serve to keep the hashing busy.
const MAX_LENGTH: usize = 1_024;

/// A password as it was typed. It cannot be printed, and its memory is cleared when it goes.
#[derive(Clone)]
pub(crate) struct PlainPassword(SecretString);

impl PlainPassword {
    /// A password for a new hash: from `min_length` to 1024 code points, whatever they are. Faults: `too-short`, `too-long`.
    pub(crate) fn new(text: &str, min_length: usize) -> Result<Self, ValueFault> {
        if text.chars().count() < min_length {
            return Err(ValueFault::new("too-short", format!("a password has at least {min_length} characters")));
        }
        Self::given(text)
    }

    /// A password to compare: any text up to 1024 code points, since rules for new ones may have changed since.
    pub(crate) fn given(text: &str) -> Result<Self, ValueFault> {
        if text.chars().count() > MAX_LENGTH {
            return Err(ValueFault::new("too-long", format!("a password has at most {MAX_LENGTH} characters")));
        }
        Ok(Self(SecretString::from(text)))
    }

    /// The bytes, for hashing alone.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl fmt::Debug for PlainPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainPassword(…)")
    }
}

/// A password hash in its self-describing text form. It cannot be printed either.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PasswordHash(String);

impl PasswordHash {
    /// A hash from its text, as the hasher made it or the store kept it.
    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }

    /// No password's hash: the account has none until one is set by a mailed link.
    pub(crate) fn none() -> Self {
        Self("!".to_owned())
    }

    /// Whether some password can have this hash.
    pub(crate) fn is_usable(&self) -> bool {
        self.0 != "!"
    }

    /// The text, for the store and the hasher.
    pub(crate) fn as_text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(PlainPassword::new("üüüüüüüü", 8).is_ok());
        assert_eq!(PlainPassword::new("1234567", 8).unwrap_err().code, "too-short");
        assert!(PlainPassword::new(&"ü".repeat(1_024), 8).is_ok());
        assert_eq!(PlainPassword::new(&"x".repeat(1_025), 8).unwrap_err().code, "too-long");
    }

    proptest! {
        #[test]
        fn it_is_never_printed(text in "[a-z]{8,40}") {
            let password = PlainPassword::new(&text, 8).unwrap();
            let printed = format!("{password:?} {:?}", PasswordHash::from_text(text.clone()));
            prop_assert!(!printed.contains(&text));
            prop_assert_eq!(password.expose(), text.as_bytes());
        }
    }
}
