//! `[auth.oauth]`: OAuth 2.1 and OpenID Connect.

use serde::{Deserialize, Serialize};

use crate::kernel::units::Span;

/// `[auth.oauth]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuthConfig {
    /// Audiences that a client may ask for by `resource`, besides `auth.tokens.audience` (RFC 8707).
    pub resources: Vec<String>,
    /// How far ahead a client's signed assertion may expire.
    pub assertion_max_lifetime: Span,
}

/// What is wrong with the section.
pub(super) fn check(config: &OAuthConfig, must: &mut impl FnMut(bool, &str, &str)) {
    for (number, resource) in config.resources.iter().enumerate() {
        let key = format!("oauth.resources[{number}]");
        let is_absolute = url::Url::parse(resource).is_ok();
        must(is_absolute && !resource.contains('#'), &key, "expected an absolute URI without a fragment");
    }
    must(!config.assertion_max_lifetime.get().is_zero(), "oauth.assertion_max_lifetime", "expected more than zero");
}
