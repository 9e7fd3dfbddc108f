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
    /// How long an authorization code waits for its client; at most ten minutes.
    pub code_ttl: Span,
    /// How long an authorization request waits for its user to log in and to decide.
    pub interaction_ttl: Span,
    /// How long a pushed authorization request waits for its browser.
    pub pushed_request_ttl: Span,
    /// Whether every authorization request has to be pushed.
    pub require_pushed_requests: bool,
    /// How long a device waits for its user.
    pub device_ttl: Span,
    /// How long a device waits between two questions.
    pub device_interval: Span,
    /// How long a browser stays logged in that nobody uses.
    pub browser_idle: Span,
    /// How long a browser stays logged in at most.
    pub browser_ttl: Span,
}

/// What is wrong with the section.
pub(super) fn check(config: &OAuthConfig, must: &mut impl FnMut(bool, &str, &str)) {
    for (number, resource) in config.resources.iter().enumerate() {
        let key = format!("oauth.resources[{number}]");
        let is_absolute = url::Url::parse(resource).is_ok();
        must(is_absolute && !resource.contains('#'), &key, "expected an absolute URI without a fragment");
    }
    let is_whole = |span: Span| span.get().as_secs() > 0 && span.get().subsec_nanos() == 0;
    for (key, span) in [
        ("oauth.code_ttl", config.code_ttl),
        ("oauth.interaction_ttl", config.interaction_ttl),
        ("oauth.pushed_request_ttl", config.pushed_request_ttl),
        ("oauth.device_ttl", config.device_ttl),
        ("oauth.device_interval", config.device_interval),
        ("oauth.browser_idle", config.browser_idle),
        ("oauth.browser_ttl", config.browser_ttl),
    ] {
        must(is_whole(span), key, "expected whole seconds, at least one");
    }
    // RFC 6749 §4.1.2.
    must(config.code_ttl.get().as_secs() <= 600, "oauth.code_ttl", "expected at most 10m");
    must(!config.assertion_max_lifetime.get().is_zero(), "oauth.assertion_max_lifetime", "expected more than zero");
}
