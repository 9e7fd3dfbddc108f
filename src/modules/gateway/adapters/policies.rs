//! What is added to every answer: security headers, CORS.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::modules::gateway::config::CorsConfig;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// Headers of ours that scripts may read.
const EXPOSED: &str = "x-request-id, retry-after, ratelimit, ratelimit-policy, www-authenticate, location, etag";
/// How long browsers may keep the answer to a preflight, in seconds.
const PREFLIGHT_SECONDS: u32 = 600;

/// What browsers are told of every answer.
static SECURITY: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), geolocation=(), microphone=()")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
];
/// And of those that came encrypted.
static ENCRYPTED: (HeaderName, HeaderValue) =
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));

/// Adds what is missing; what a role or an upstream says of its own pages stays.
pub(super) fn add_security_headers(headers: &mut HeaderMap, is_https: bool) {
    let encrypted = is_https.then_some(&ENCRYPTED);
    for (name, value) in SECURITY.iter().chain(encrypted) {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// Cross-origin resource sharing, compiled.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<HeaderValue>,
    any: bool,
    credentials: bool,
}

impl Cors {
    /// Compiles the setting.
    pub(super) fn compile(config: &CorsConfig) -> Self {
        Self {
            origins: config.origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect(),
            any: config.origins.iter().any(|origin| origin == "*"),
            credentials: config.credentials,
        }
    }

    /// The origin to be told back, if it may call.
    pub(super) fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        self.origins.iter().find(|allowed| *allowed == origin).cloned()
    }

    /// Puts the gateway's word in the place of the upstream's.
    pub(super) fn apply(&self, headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
        let theirs: Vec<HeaderName> =
            headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
        for name in theirs {
            headers.remove(name);
        }
        if !self.any {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }

    /// What a preflight is told: the method it asks for, and the headers it asks for.
    pub(super) fn preflight(request: &HeaderMap, answer: &mut HeaderMap, method: HeaderValue) {
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, method);
        if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_SECONDS));
    }
}
