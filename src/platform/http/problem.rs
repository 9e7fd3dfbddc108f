//! Problem details (RFC 9457): the one shape of every error answer, and the one place where an [`ErrorKind`] becomes a
//! status. Handlers return a [`Problem`]; the front middleware writes its body, because only there the request id is known.

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER},
    },
};
use serde_json::{Map, Value, json};

use crate::kernel::{ErrorKind, FieldFault};

/// The media type of a problem (RFC 9457 §3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One kind of problem: what `type` points at.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// Stable, kebab-case; the last segment of `type`.
    pub code: &'static str,
    /// The status it is answered with.
    pub status: u16,
    /// Short and the same for every occurrence.
    pub title: &'static str,
    /// What it means and what to do about it: the text of `/problems/<code>`.
    pub about: &'static str,
}

/// An error answer.
#[derive(Debug, Clone)]
pub struct Problem(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    kind: &'static ProblemType,
    detail: String,
    errors: Vec<FieldFault>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of this kind; `detail` is about this occurrence and never carries a secret.
    pub fn new(kind: &'static ProblemType, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Details { kind, detail, errors: Vec::new(), members: Map::new(), headers: Vec::new() }))
    }

    /// A body that reads well but is not acceptable: every fault at once.
    pub fn invalid(errors: Vec<FieldFault>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", if only.pointer.is_empty() { "body" } else { &only.pointer }, only.detail),
            many => format!("the body has {} faults", many.len()),
        };
        let mut problem = Self::new(&VALIDATION_FAILED, detail);
        problem.0.errors = errors;
        problem
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Adds `Retry-After` in whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with_header(RETRY_AFTER, HeaderValue::from(secs.max(1)))
    }

    /// Adds an extension member (RFC 9457 §3.2).
    #[must_use]
    pub fn with_member(mut self, name: &str, value: Value) -> Self {
        self.0.members.insert(name.to_owned(), value);
        self
    }

    /// The kind.
    pub fn kind(&self) -> &'static ProblemType {
        self.0.kind
    }

    /// The body, for this request. `instance` is its path; without one it is left out.
    pub fn body(&self, instance: &str, request_id: &str) -> Vec<u8> {
        let mut members = json!({
            "type": format!("/problems/{}", self.0.kind.code),
            "title": self.0.kind.title,
            "status": self.0.kind.status,
            "detail": self.0.detail,
            "instance": instance,
            "code": self.0.kind.code,
            "request_id": request_id,
        });
        if let Value::Object(object) = &mut members {
            if instance.is_empty() {
                object.shift_remove("instance");
            }
            if !self.0.errors.is_empty() {
                let errors = self.0.errors.iter();
                let errors = errors.map(|e| json!({"pointer": e.pointer, "code": e.code, "detail": e.detail}));
                object.insert("errors".to_owned(), errors.collect());
            }
            object.extend(self.0.members.clone());
        }
        members.to_string().into_bytes()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.code, self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in &self.0.headers {
            response.append_header((name.clone(), value.clone()));
        }
        let mut response = response.finish();
        response.extensions_mut().insert(self.clone());
        response
    }
}

/// The general problem of a kind, for errors that have no type of their own.
pub fn general(kind: ErrorKind) -> &'static ProblemType {
    match kind {
        ErrorKind::Malformed => &MALFORMED_REQUEST,
        ErrorKind::Invalid => &VALIDATION_FAILED,
        ErrorKind::Unauthenticated => &UNAUTHENTICATED,
        ErrorKind::Forbidden => &FORBIDDEN,
        ErrorKind::NotFound => &NOT_FOUND,
        ErrorKind::Conflict => &CONFLICT,
        ErrorKind::PreconditionFailed => &PRECONDITION_FAILED,
        ErrorKind::TooLarge => &BODY_TOO_LARGE,
        ErrorKind::RateLimited => &RATE_LIMITED,
        ErrorKind::BadGateway => &BAD_GATEWAY,
        ErrorKind::Unavailable => &UNAVAILABLE,
        ErrorKind::Timeout => &TIMEOUT,
        ErrorKind::Internal => &INTERNAL,
    }
}

macro_rules! problem_types {
    ($($name:ident = $status:literal $code:literal, $title:literal, $about:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: ProblemType =
                ProblemType { code: $code, status: $status, title: $title, about: $about };
        )*

        /// The problems that every role can answer with.
        pub const GENERAL: &[&ProblemType] = &[$(&$name),*];
    };
}

problem_types! {
    MALFORMED_REQUEST = 400 "malformed-request", "The request cannot be read",
        "The request is not well formed: its head, its path, its query or its JSON cannot be parsed. Correct it and send it again.";
    UNAUTHENTICATED = 401 "unauthenticated", "A valid access token is needed",
        "Send a valid access token as `Authorization: Bearer …`. Log in, or refresh, to get one.";
    FORBIDDEN = 403 "forbidden", "Not allowed",
        "The access token is valid, but it lacks the role or the scope that this call needs.";
    NOT_FOUND = 404 "not-found", "There is no such thing",
        "Nothing is there, or it is not yours to see.";
    NO_ROUTE = 404 "no-route", "No route leads there",
        "No route matches this host and path. `vestibule route list` shows what is served.";
    METHOD_NOT_ALLOWED = 405 "method-not-allowed", "The method is not allowed here",
        "The path exists, but not for this method. The `Allow` header names those that work.";
    CONFLICT = 409 "conflict", "It contradicts what already is",
        "The change contradicts the present state. Read it again, and decide.";
    PRECONDITION_FAILED = 412 "precondition-failed", "It has changed since you read it",
        "`If-Match` names a version that is not the present one. Read it again, and decide.";
    BODY_TOO_LARGE = 413 "body-too-large", "The body is too large",
        "The body is longer than this call allows.";
    REQUEST_TIMEOUT = 408 "request-timeout", "The request did not arrive in time",
        "The request's body stopped coming. The connection is closed; send the request again.";
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported-media-type", "The content type is not supported",
        "Send the body in the content type that this call takes, usually `application/json`.";
    VALIDATION_FAILED = 422 "validation-failed", "The body has faults",
        "The body can be read, but some of its members are not acceptable. `errors` names every one of them by its JSON pointer.";
    RATE_LIMITED = 429 "rate-limited", "Too many requests",
        "The limit of requests in its window is reached. Wait as long as `Retry-After` says. `RateLimit-Policy` tells the limit.";
    HEAD_TOO_LARGE = 431 "head-too-large", "The request's head is too large",
        "The request line and the headers are longer than 64 KiB together. Shorten them, usually the cookies.";
    INTERNAL = 500 "internal", "Something went wrong on our side",
        "A fault of the server. It is logged under the request id.";
    BAD_GATEWAY = 502 "bad-gateway", "The service behind gave no valid answer",
        "The service behind could not be reached, or broke off before it answered.";
    UNAVAILABLE = 503 "unavailable", "Not available at the moment",
        "A dependency or a capacity is missing at the moment. Try again after `Retry-After`.";
    TIMEOUT = 504 "timeout", "It took too long",
        "The call did not finish in its time.";
}
