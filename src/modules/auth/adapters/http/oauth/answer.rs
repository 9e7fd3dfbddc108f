//! Answers that clients of the OAuth endpoints understand (RFC 6749 §5).

use std::fmt;

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde_json::json;

use crate::{
    modules::auth::application::oauth::{OAuthCode, OAuthError},
    platform::http::Problem,
};

/// A fault as an answer: JSON with `error` and `error_description` (RFC 6749 §5.2).
#[derive(Debug, Clone)]
pub(in crate::modules::auth::adapters::http) struct OAuthProblem(
    pub(in crate::modules::auth::adapters::http) OAuthError,
);

impl fmt::Display for OAuthProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Into<OAuthError>> From<T> for OAuthProblem {
    fn from(error: T) -> Self {
        Self(error.into())
    }
}

impl From<Problem> for OAuthProblem {
    /// What the platform says of a body, in this endpoint's words under the same status.
    fn from(problem: Problem) -> Self {
        let kind = problem.kind();
        let code = if kind.status >= 500 { OAuthCode::TemporarilyUnavailable } else { OAuthCode::InvalidRequest };
        Self(OAuthError::new(code, kind.title).with_status(kind.status))
    }
}

impl ResponseError for OAuthProblem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::BAD_REQUEST)
    }

    fn error_response(&self) -> HttpResponse {
        let error = &self.0;
        let mut response = unstored(self.status_code());
        if error.code == OAuthCode::InvalidClient {
            // RFC 6749 §5.2 asks for it where the client used Basic, RFC 9110 §15.5.2 with every 401.
            response.insert_header((WWW_AUTHENTICATE, "Basic realm=\"vestibule\", charset=\"UTF-8\""));
        }
        if error.status() == 413 {
            // The rest of the request may still be under way: the next one could not be told from it.
            response.force_close();
        }
        if let Some(wait) = error.retry_after {
            let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.insert_header((RETRY_AFTER, secs.max(1)));
        }
        response.json(json!({"error": error.code.as_str(), "error_description": printable(&error.description)}))
    }
}

/// An answer that is stored nowhere on its way (RFC 6749 §5.1).
pub(in crate::modules::auth::adapters::http) fn unstored(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache"));
    response
}

/// RFC 6749 §5.2: a description is ASCII without quotes and backslashes.
pub(in crate::modules::auth::adapters::http) fn printable(text: &str) -> String {
    let is_allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    text.chars().map(|c| if is_allowed(c) { c } else { '\'' }).collect()
}

/// Counts how an operation ended.
pub(in crate::modules::auth::adapters::http) fn counted<T>(
    operation: &'static str,
    outcome: Result<T, OAuthProblem>,
) -> Result<T, OAuthProblem> {
    let result = match &outcome {
        Ok(_) => "success",
        Err(problem) => problem.0.code.as_str(),
    };
    metrics::counter!("business_operations_total", "operation" => operation, "outcome" => result).increment(1);
    outcome
}
