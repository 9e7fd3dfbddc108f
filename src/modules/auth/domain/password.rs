//! Passwords, as they are typed and as they are kept.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use unicode_normalization::UnicodeNormalization as _;

use crate::kernel::error::ValueFault;

/// The most code points of a password; more would only serve to keep the hashing busy.
const MAX_LENGTH: usize = 1_024;
/// The most code points as typed: normalisation joins letters and their marks, but never nearly so many.
const MAX_TYPED: usize = 4 * MAX_LENGTH;

/// A password, normalised (NFKC, as RFC 8265 §4.2 has it): the same characters, whichever keyboard they come from. It cannot
/// be printed, and its memory is cleared when it goes.
#[derive(Clone)]
pub(crate) struct PlainPassword {
    normal: SecretString,
    /// As it was typed, where that differs.
    typed: Option<SecretString>,
}

impl PlainPassword {
    /// A password for a new hash: from `min_length` to 1024 code points, whatever they are. Faults: `too-short`, `too-long`.
    pub(crate) fn new(text: &str, min_length: usize) -> Result<Self, ValueFault> {
        let password = Self::given(text)?;
        if password.text().chars().count() < min_length {
            return Err(ValueFault::new("too-short", format!("a password has at least {min_length} characters")));
        }
        Ok(password)
    }

    /// A password to compare: any text up to 1024 code points, since rules for new ones may have changed since.
    pub(crate) fn given(text: &str) -> Result<Self, ValueFault> {
        let too_long = || ValueFault::new("too-long", format!("a password has at most {MAX_LENGTH} characters"));
        if text.chars().nth(MAX_TYPED).is_some() {
            return Err(too_long());
        }
        if text.is_ascii() {
            let password = Self { normal: SecretString::from(text), typed: None };
            return if text.len() > MAX_LENGTH { Err(too_long()) } else { Ok(password) };
        }
        // One character can become 18 (U+FDFA): no more is made of them than can be accepted.
        let normal = SecretString::from(text.nfkc().take(MAX_LENGTH + 1).collect::<String>());
        if normal.expose_secret().chars().count() > MAX_LENGTH {
            return Err(too_long());
        }
        let typed = (normal.expose_secret() != text).then(|| SecretString::from(text));
        Ok(Self { normal, typed })
    }

    /// The text, for the rules and for hashing alone.
    pub(crate) fn text(&self) -> &str {
        self.normal.expose_secret()
    }

    /// The bytes, for hashing alone.
    pub(crate) fn expose(&self) -> &[u8] {
        self.text().as_bytes()
    }

    /// The bytes as they were typed, where those differ: a hash that was written elsewhere may be one of them.
    pub(crate) fn as_typed(&self) -> Option<&[u8]> {
        self.typed.as_ref().map(|typed| typed.expose_secret().as_bytes())
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

    #[test]
    fn what_looks_the_same_is_the_same() {
        let (composed, decomposed) = ("\u{e9}l\u{e8}ve-caf\u{e9}", "e\u{301}le\u{300}ve-cafe\u{301}");
        let (one, other) = (PlainPassword::given(composed).unwrap(), PlainPassword::given(decomposed).unwrap());
        assert_eq!(one.expose(), other.expose());
        assert_eq!((one.as_typed(), other.as_typed()), (None, Some(decomposed.as_bytes())));
        let wide = PlainPassword::new("\u{ff50}\u{ff41}\u{ff53}\u{ff53}\u{2168}", 6).unwrap();
        assert_eq!(wide.text(), "passIX", "the length counts afterwards");
        assert!(PlainPassword::given(&"e\u{301}".repeat(1_024)).is_ok());
        assert_eq!(PlainPassword::given(&"e\u{301}".repeat(1_025)).unwrap_err().code, "too-long");
        assert_eq!(PlainPassword::given(&"\u{fdfa}".repeat(100)).unwrap_err().code, "too-long");
        assert_eq!(PlainPassword::given(&"\u{1100}\u{1161}".repeat(100_000)).unwrap_err().code, "too-long");
    }

    proptest! {
        #[test]
        fn to_normalise_again_changes_nothing(text in "\\PC{0,60}") {
            let once = PlainPassword::given(&text).unwrap();
            let twice = PlainPassword::given(once.text()).unwrap();
            prop_assert_eq!(once.expose(), twice.expose());
            prop_assert!(twice.as_typed().is_none());
        }

        #[test]
        fn it_is_never_printed(text in "[a-z]{8,40}") {
            let password = PlainPassword::new(&text, 8).unwrap();
            let printed = format!("{password:?} {:?}", PasswordHash::from_text(text.clone()));
            prop_assert!(!printed.contains(&text));
            prop_assert_eq!(password.expose(), text.as_bytes());
        }
    }
}
