//! An e-mail address, as accounts are known by it.

use std::fmt;

use crate::kernel::{UserId, error::ValueFault};

/// An address in its canonical form: lower case, so that one mailbox is one account. A dot-atom local part and a host name
/// (RFC 5321 §4.1.2 without quoted strings, comments and address literals, which no account needs).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Email(String);

impl Email {
    /// Reads an address strictly. Faults: `too-long`, `invalid-email`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        if text.len() > 254 {
            return Err(ValueFault::new("too-long", "an address has at most 254 characters"));
        }
        let wrong = || ValueFault::new("invalid-email", "expected an address such as name@example.com");
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        if !is_dot_atom(local) || !is_host_name(domain) {
            return Err(wrong());
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// What stands in the place of a deleted user's address, so that the address is free: RFC 2606 §2 keeps its domain from
    /// ever being anybody's.
    pub(crate) fn of_deleted(user: UserId) -> Self {
        Self(format!("{user}@deleted.invalid"))
    }

    /// The canonical text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 5322 §3.2.3, at most 64 characters.
fn is_dot_atom(text: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    text.len() <= 64 && text.split('.').all(is_atom)
}

/// RFC 1123 §2.1.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 253
        && text.split('.').all(is_label)
        && !text.split('.').all(|l| l.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_read_strictly_and_kept_in_lower_case() {
        assert_eq!(Email::parse("Ada.Lovelace+x@Example.COM").unwrap().as_str(), "ada.lovelace+x@example.com");
        assert!(Email::parse("root@localhost").is_ok());
        for wrong in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a@b@example.com",
            ".ada@example.com",
            "ada..l@example.com",
            "ada@-example.com",
            "ada@exam ple.com",
            "ada@example..com",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada@example.com\r\nBcc: eve@example.com",
            "ada@example.com ",
            "ädä@example.com",
            "<ada@example.com>",
        ] {
            assert_eq!(Email::parse(wrong).expect_err(wrong).code, "invalid-email", "{wrong}");
        }
        assert_eq!(Email::parse(&format!("a@{}", "b.".repeat(200))).unwrap_err().code, "too-long");
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_canonical_and_safe_in_a_header(text in "\\PC{0,40}@?\\PC{0,40}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()).unwrap(), email.clone());
                prop_assert!(email.as_str().bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase()));
            }
        }

        #[test]
        fn case_never_makes_two_accounts(local in "[a-zA-Z0-9]{1,20}", domain in "[a-zA-Z]{1,20}\\.[a-zA-Z]{2,5}") {
            let text = format!("{local}@{domain}");
            prop_assert_eq!(Email::parse(&text).unwrap(), Email::parse(&text.to_ascii_uppercase()).unwrap());
        }
    }
}
