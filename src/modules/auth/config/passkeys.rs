//! `[auth.passkeys]`: logins without a password.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::AuthConfig;
use crate::kernel::{PageRequest, units::Span};

/// `[auth.passkeys]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeysConfig {
    /// Whether users may add passkeys and log in by them; needs a binary with the feature `passkeys`.
    pub enabled: bool,
    /// The most passkeys of one user.
    pub per_user: u32,
    /// How long a device's answer is waited for.
    pub ceremony_ttl: Span,
}

/// Notes what is wrong.
pub(super) fn check(config: &AuthConfig, must: &mut impl FnMut(bool, &str, &str)) {
    let passkeys = &config.passkeys;
    must((1..=PageRequest::MAX).contains(&passkeys.per_user), "passkeys.per_user", "expected 1 to 100");
    let ttl = passkeys.ceremony_ttl.get().as_secs();
    must((1..=3600).contains(&ttl), "passkeys.ceremony_ttl", "expected 1s to 1h");
    must(
        !passkeys.enabled || has_passkeys(&config.issuer),
        "passkeys.enabled",
        "browsers make passkeys for https and for localhost, and never for an IP address: expected an `auth.issuer` of that \
         kind",
    );
}

/// Whether browsers make passkeys for pages of this issuer: a name of its own, and a secure context.
fn has_passkeys(issuer: &str) -> bool {
    let Ok(url) = Url::parse(issuer) else { return false };
    let Some(Host::Domain(host)) = url.host() else { return false };
    url.scheme() == "https" || host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_make_passkeys_for_names_in_secure_contexts() {
        for (issuer, expected) in [
            ("https://login.example.com", true),
            ("https://example.com:8443/id", true),
            ("http://localhost:8000", true),
            ("http://app.localhost", true),
            ("http://login.example.com", false),
            ("http://127.0.0.1:8000", false),
            ("https://127.0.0.1", false),
            ("https://[::1]:8000", false),
            ("nonsense", false),
        ] {
            assert_eq!(has_passkeys(issuer), expected, "{issuer}");
        }
    }
}
