//! What of the configuration the use cases need, in their own terms.

use chrono::TimeDelta;

/// The rules an operator sets.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The URL of the front door, without a slash at its end: `iss`, and the beginning of mailed links.
    pub(crate) issuer: String,
    /// Who access tokens are for.
    pub(crate) audience: String,
    /// Whether an address must be verified before the first login.
    pub(crate) require_verified_email: bool,
    /// Who may register.
    pub(crate) registration: Registration,
    /// The fewest characters of a new password.
    pub(crate) min_password_length: usize,
    /// How long an access token works.
    pub(crate) access_ttl: TimeDelta,
    /// How long a refresh token works.
    pub(crate) refresh_ttl: TimeDelta,
    /// How long a session lasts at most, however often it is refreshed.
    pub(crate) session_ttl: TimeDelta,
    /// How long ago a login may be for what is dangerous.
    pub(crate) step_up_max_age: TimeDelta,
    /// For how long a spent refresh token answers with the token it already gave.
    pub(crate) refresh_reuse_leeway: TimeDelta,
    /// How long the published keys may be cached: not longer than a new one is published before it signs.
    pub(crate) keys_max_age: TimeDelta,
    /// What OAuth clients are held to.
    pub(crate) oauth: OAuthSettings,
}

/// The rules for OAuth clients.
#[derive(Debug, Clone)]
pub(crate) struct OAuthSettings {
    /// Audiences that a client may ask for by `resource`, besides the configured one (RFC 8707).
    pub(crate) resources: Vec<String>,
    /// What id tokens are signed with.
    pub(crate) signing_algorithm: &'static str,
    /// How far ahead a client's signed assertion may expire (RFC 7523 §3).
    pub(crate) assertion_max_lifetime: TimeDelta,
    /// How long an authorization code waits for its client.
    pub(crate) code_ttl: TimeDelta,
    /// How long an authorization request waits for its user.
    pub(crate) interaction_ttl: TimeDelta,
    /// How long a pushed request waits for its browser (RFC 9126).
    pub(crate) pushed_request_ttl: TimeDelta,
    /// Whether every authorization request has to be pushed.
    pub(crate) require_pushed_requests: bool,
    /// How long a device waits for its user (RFC 8628).
    pub(crate) device_ttl: TimeDelta,
    /// Seconds between two questions of a device.
    pub(crate) device_interval: u32,
    /// How long a browser stays logged in that nobody uses.
    pub(crate) browser_idle: TimeDelta,
    /// How long a browser stays logged in at most.
    pub(crate) browser_ttl: TimeDelta,
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registration {
    /// Everybody.
    Open,
    /// Nobody.
    Closed,
}
