//! Host patterns: an exact name, or `*.example.com` for every name beneath one.

use crate::kernel::error::ValueFault;

/// What a route's `hosts` entry means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostPattern {
    /// This name.
    Exact(String),
    /// Every name that ends so, the dot included; not the bare domain.
    Beneath(String),
}

impl HostPattern {
    /// Reads a pattern; names are kept in lower case.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let (name, wildcard) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let is_name = !name.is_empty()
            && name.split('.').all(|label| {
                !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            });
        let is_address = name.starts_with('[') && name.ends_with(']') && !wildcard;
        if !is_name && !is_address {
            return Err(ValueFault::new(
                "invalid-host",
                format!("expected a host name such as \"shop.example\" or \"*.shop.example\", found {text:?}"),
            ));
        }
        let name = name.to_ascii_lowercase();
        Ok(if wildcard { Self::Beneath(format!(".{name}")) } else { Self::Exact(name) })
    }

    /// Whether `host`, without port, is meant; names have no case.
    pub(crate) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Beneath(suffix) => {
                host.len() > suffix.len()
                    && host.as_bytes()[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
            }
        }
    }

    /// How particular it is: exact before long suffix before short.
    pub(crate) fn rank(&self) -> usize {
        match self {
            Self::Exact(_) => usize::MAX,
            Self::Beneath(suffix) => suffix.len(),
        }
    }
}

/// The host of a `Host` header or an authority, without user and port.
pub(crate) fn without_port(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.find(']').map_or(authority, |end| &authority[..=end]);
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_and_wildcard() {
        let exact = HostPattern::parse("Shop.example").unwrap();
        assert!(exact.matches("shop.EXAMPLE") && !exact.matches("a.shop.example"));
        let beneath = HostPattern::parse("*.shop.example").unwrap();
        assert!(beneath.matches("a.B.shop.example"));
        assert!(
            !beneath.matches("shop.example") && !beneath.matches(".shop.example") && !beneath.matches("ashop.example")
        );
        assert!(exact.rank() > beneath.rank());
        for wrong in ["", "*", "*.", "a..b", "a b", "a/b", "*.*.x"] {
            assert!(HostPattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_are_taken_off() {
        assert_eq!(without_port("a.example:80"), "a.example");
        assert_eq!(without_port("a.example."), "a.example");
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(without_port(""), "");
    }
}
