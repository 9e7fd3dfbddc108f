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

/// Adds what is missing; what a role or an upstream says of its own pages stays.
pub(super) fn add_security_headers(headers: &mut HeaderMap, is_https: bool) {
    let mut add = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    add(X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(REFERRER_POLICY, "strict-origin-when-cross-origin");
    add(PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=()");
    if is_https {
        add(STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
    add(X_FRAME_OPTIONS, "DENY");
    add(CONTENT_SECURITY_POLICY, "frame-ancestors 'none'");
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
