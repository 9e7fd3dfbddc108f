//! The faults that clients are told, by the names that the specifications give them.

use std::time::Duration;

use crate::modules::auth::application::{Failure, PortError};

/// The name of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OAuthCode {
    /// RFC 6749 §5.2: a parameter is missing, there twice, or malformed.
    InvalidRequest,
    /// RFC 6749 §5.2: the client did not show who it is.
    InvalidClient,
    /// RFC 6749 §5.2: the code, refresh token or device code is wrong, used, expired, or another client's.
    InvalidGrant,
    /// RFC 6749 §5.2: the client may not do this.
    UnauthorizedClient,
    /// RFC 6749 §5.2.
    UnsupportedGrantType,
    /// RFC 6749 §5.2: unknown, or more than the client may ask for.
    InvalidScope,
    /// RFC 8707 §2: the resource is unknown.
    InvalidTarget,
    /// RFC 6749 §4.1.2.1: the user said no.
    AccessDenied,
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType,
    /// RFC 6749 §4.1.2.1: a fault of ours.
    ServerError,
    /// RFC 6749 §4.1.2.1: not now.
    TemporarilyUnavailable,
    /// RFC 8628 §3.5: the user has not answered yet.
    AuthorizationPending,
    /// RFC 8628 §3.5: as above, and asked too often.
    SlowDown,
    /// RFC 8628 §3.5: the device code has expired.
    ExpiredToken,
    /// OpenID Connect Core 1.0 §3.1.2.6: the user would have to log in.
    LoginRequired,
    /// OpenID Connect Core 1.0 §3.1.2.6: the user would have to agree.
    ConsentRequired,
    /// OpenID Connect Core 1.0 §3.1.2.6: `request` is not taken.
    RequestNotSupported,
    /// OpenID Connect Core 1.0 §3.1.2.6: `request_uri` is not taken.
    RequestUriNotSupported,
}

impl OAuthCode {
    /// The value of `error`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
        }
    }

    /// The status at an endpoint that answers the client directly.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::InvalidClient => 401,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// A fault, as a client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub(crate) struct OAuthError {
    /// Which.
    pub(crate) code: OAuthCode,
    /// What happened, for the client's developers; without secrets.
    pub(crate) description: String,
    /// When another try is worth it.
    pub(crate) retry_after: Option<Duration>,
    /// A status that says more than the code's own.
    status: Option<u16>,
}

impl OAuthError {
    /// A fault.
    pub(crate) fn new(code: OAuthCode, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), retry_after: None, status: None }
    }

    /// RFC 6749 §5.2, with what is wrong with the request.
    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(OAuthCode::InvalidRequest, description)
    }

    /// RFC 6749 §5.2: the same for every reason, so that nobody learns which clients there are.
    pub(crate) fn invalid_client() -> Self {
        Self::new(OAuthCode::InvalidClient, "the client is unknown, or did not show that it is the one")
    }

    /// RFC 6749 §5.2.
    pub(crate) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new(OAuthCode::InvalidGrant, description)
    }

    /// Too many failed attempts.
    pub(crate) fn too_many_attempts(wait: Duration) -> Self {
        let error = Self::new(OAuthCode::TemporarilyUnavailable, "too many failed attempts");
        Self { retry_after: Some(wait), status: Some(429), ..error }
    }

    /// The same fault under a status that says more: 413, 415.
    #[must_use]
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// The status at an endpoint that answers the client directly.
    pub(crate) fn status(&self) -> u16 {
        self.status.unwrap_or(self.code.status())
    }
}

impl From<Failure> for OAuthError {
    fn from(failure: Failure) -> Self {
        let text = failure.to_string();
        match failure {
            Failure::Unavailable(why) => {
                tracing::warn!(event = "oauth_unavailable", error = %why);
                let error = Self::new(OAuthCode::TemporarilyUnavailable, "a dependency is missing at the moment");
                Self { retry_after: Some(Duration::from_secs(1)), ..error }
            }
            Failure::Internal(why) => {
                tracing::error!(event = "oauth_failed", error = %why);
                Self::new(OAuthCode::ServerError, "a fault of the server; it is logged")
            }
            Failure::TooManyAttempts(wait) => Self::too_many_attempts(wait),
            Failure::Invalid(_) | Failure::PreconditionFailed => Self::invalid_request(text),
            _ => Self::invalid_grant(text),
        }
    }
}

impl From<PortError> for OAuthError {
    fn from(error: PortError) -> Self {
        Failure::from(error).into()
    }
}
