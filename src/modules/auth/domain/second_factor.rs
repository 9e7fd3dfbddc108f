//! The second factor: what is typed, and the codes for the day when the authenticator is lost.

use std::fmt;

use crate::kernel::Random;

/// How many recovery codes an account has at first.
pub(crate) const RECOVERY_CODES: usize = 10;
/// The letters of a recovery code: Crockford's base 32, which has no O, I, L and U to mistake.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The letters of one code: 80 bits, more than anybody can try.
const LENGTH: usize = 16;
/// The digits of a one-time password (RFC 4226 §5.3).
const DIGITS: usize = 6;

/// A code of the second factor as it was typed. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum FactorCode {
    /// What an authenticator shows: six digits.
    OneTime(String),
    /// A recovery code.
    Recovery(RecoveryCode),
    /// Neither; as wrong as a wrong one.
    Malformed,
}

impl FactorCode {
    /// Reads what was typed, with or without spaces and hyphens.
    pub(crate) fn parse(typed: &str) -> Self {
        let letters: String =
            typed.chars().filter(|c| !c.is_whitespace() && *c != '-').take(LENGTH + 1).map(as_letter).collect();
        if letters.len() == DIGITS && letters.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::OneTime(letters);
        }
        if letters.len() == LENGTH && letters.bytes().all(|byte| LETTERS.contains(&byte)) {
            return Self::Recovery(RecoveryCode(letters));
        }
        Self::Malformed
    }
}

/// The letter that was meant.
fn as_letter(typed: char) -> char {
    match typed.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    }
}

impl fmt::Debug for FactorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactorCode(…)")
    }
}

/// A code that stands in for the authenticator, once. It cannot be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RecoveryCode(String);

impl RecoveryCode {
    /// A new one.
    pub(crate) fn new(random: &dyn Random) -> Self {
        let mut bytes = [0; LENGTH];
        random.fill(&mut bytes);
        Self(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect())
    }

    /// The letters alone, for hashing.
    pub(crate) fn letters(&self) -> &str {
        &self.0
    }

    /// In groups of four, for its owner to write down.
    pub(crate) fn to_show(&self) -> String {
        let groups: Vec<_> = self.0.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        groups.join("-")
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::platform::random::SystemRandom;

    #[test]
    fn codes_are_read_as_people_type_them() {
        assert_eq!(FactorCode::parse(" 123 456 "), FactorCode::OneTime("123456".to_owned()));
        assert_eq!(FactorCode::parse("o23l56"), FactorCode::OneTime("023156".to_owned()));
        for wrong in ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "ABCD-EFGH-JKMN-PQRU", &"1".repeat(10_000)] {
            assert_eq!(FactorCode::parse(wrong), FactorCode::Malformed, "{wrong}");
        }
    }

    #[test]
    fn a_recovery_code_is_read_as_it_is_shown() {
        let code = RecoveryCode::new(&SystemRandom);
        let shown = code.to_show();
        assert_eq!((shown.len(), shown.matches('-').count()), (19, 3));
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', " "), code.letters().to_owned()] {
            assert_eq!(FactorCode::parse(&typed), FactorCode::Recovery(code.clone()));
        }
        assert_ne!(RecoveryCode::new(&SystemRandom), code);
        assert!(!format!("{code:?} {:?}", FactorCode::Recovery(code.clone())).contains(code.letters()));
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_is_too_much(typed in ".{0,60}") {
            FactorCode::parse(&typed);
        }
    }
}
