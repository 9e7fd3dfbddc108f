//! A password that says whose it is protects nothing: the account's address and name are what everybody tries first.

use super::{DisplayName, Email, PlainPassword};
use crate::kernel::error::ValueFault;

/// Parts that are shorter stand in too many words to mean anything.
const SHORTEST_PART: usize = 3;

/// Whose password it is, or is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PasswordOwner<'a> {
    /// The account's address.
    pub(crate) email: &'a Email,
    /// The name it is shown by.
    pub(crate) display_name: Option<&'a DisplayName>,
}

impl PasswordOwner<'_> {
    /// Why the password gives its owner away, if it does: more than half of its letters and digits are the address, the
    /// part before the `@`, or the name. Faults: `contains-address`, `contains-name`.
    pub(crate) fn faults(self, password: &PlainPassword) -> Vec<ValueFault> {
        let password = letters(password.text());
        let address = self.email.as_str();
        let local = address.split('@').next().unwrap_or_default();
        let words = local.split(['.', '-', '_', '+']);
        let mut faults = Vec::new();
        if [address, local].into_iter().chain(words).any(|part| is_mainly(&password, part)) {
            faults.push(ValueFault::new("contains-address", "a password is not made of the account's address"));
        }
        let name = self.display_name.map_or("", DisplayName::as_str);
        if std::iter::once(name).chain(name.split_whitespace()).any(|part| is_mainly(&password, part)) {
            faults.push(ValueFault::new("contains-name", "a password is not made of the account's name"));
        }
        faults
    }
}

/// Whether more than half of a password's letters are these, once or again and again.
fn is_mainly(password: &str, part: &str) -> bool {
    let part = letters(part);
    if part.chars().count() < SHORTEST_PART {
        return false;
    }
    let rest = password.replace(&part, "").chars().count();
    rest * 2 < password.chars().count()
}

/// Letters and digits alone, in lower case.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(password: &str, email: &str, name: Option<&str>) -> Vec<&'static str> {
        let (email, name) = (Email::parse(email).unwrap(), name.map(|name| DisplayName::parse(name).unwrap()));
        let owner = PasswordOwner { email: &email, display_name: name.as_ref() };
        owner.faults(&PlainPassword::given(password).unwrap()).into_iter().map(|fault| fault.code).collect()
    }

    #[test]
    fn addresses_and_names_are_told_in_every_dress() {
        let ada = "ada.lovelace@example.org";
        for password in [
            ada,
            "ADA.LOVELACE@EXAMPLE.ORG!",
            "ada-lovelace",
            "AdaLovelace1815",
            "lovelace1",
            "12ada.lovelace@example.org",
        ] {
            assert_eq!(codes(password, ada, None), ["contains-address"], "{password}");
        }
        assert_eq!(codes("Gräfin Wilhelmina", "w@example.org", Some("Gräfin Wilhelmina")), ["contains-name"]);
        assert_eq!(codes("wilhelmina99", "w@example.org", Some("Gräfin Wilhelmina")), ["contains-name"]);
        assert_eq!(codes("lovelace12", ada, Some("Ada Lovelace")), ["contains-address", "contains-name"]);
        assert_eq!(codes("adaadaada", "ada@example.org", None), ["contains-address"]);
    }

    #[test]
    fn what_merely_mentions_them_is_accepted() {
        let ada = "ada.lovelace@example.org";
        for password in
            ["correct horse battery staple", "canada is wide", "lovelace met babbage", "example-horse-org", "al12345"]
        {
            assert!(codes(password, ada, Some("Ada L")).is_empty(), "{password}");
        }
        assert!(codes("--------", ada, Some("---")).is_empty());
        assert!(codes("w-rz-8!k", "w@example.org", Some("Al")).is_empty());
    }
}
