//! Why a use case fails: the one error type of the module's inside. The edges turn it into problem details, or into the
//! `AuthError` that other modules see.

use std::time::Duration;

use super::PortError;
use crate::{
    kernel::{ErrorKind, FieldFault},
    modules::auth::api::AuthError,
};

/// A failed use case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// No such user, or another password; which of the two is never told.
    #[error("the address or the password is wrong")]
    InvalidCredentials,
    /// The password is right, and a second factor is on.
    #[error("a code of the second factor is needed")]
    MfaRequired,
    /// The password is right, the address not yet verified.
    #[error("the e-mail address has to be verified first")]
    EmailNotVerified,
    /// The password is right, the account suspended.
    #[error("the account is suspended")]
    AccountSuspended,
    /// Too many failed attempts for this account or from this client.
    #[error("too many failed attempts")]
    TooManyAttempts(Duration),
    /// The address has an account already.
    #[error("there is an account with this address already")]
    EmailTaken,
    /// Accounts are made by administrators.
    #[error("registration is closed")]
    RegistrationClosed,
    /// The mailed token or code is unknown, used or expired.
    #[error("the link or code is not valid, or no longer")]
    InvalidEmailToken,
    /// The refresh token is not one, has expired, or its session has ended.
    #[error("the refresh token is not valid, or no longer")]
    InvalidRefreshToken,
    /// A spent refresh token came again; its session was ended.
    #[error("the refresh token was used before; its session has been ended")]
    RefreshTokenReused,
    /// The caller's account is gone.
    #[error("there is no such user")]
    NotFound,
    /// The client proves itself in another way, or not at all.
    #[error("the client has no secret")]
    ClientHasNoSecret,
    /// Nobody hands out a permission that they do not have.
    #[error("{0} can be given only by somebody who has it")]
    PermissionNotHeld(String),
    /// It changed since it was read.
    #[error("it has changed since it was read")]
    PreconditionFailed,
    /// Values that are not acceptable.
    #[error("{}", .0.iter().map(|fault| fault.detail.as_str()).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldFault>),
    /// A dependency or a capacity is missing at the moment.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    /// The kind.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidCredentials | Self::MfaRequired | Self::InvalidRefreshToken | Self::RefreshTokenReused => {
                ErrorKind::Unauthenticated
            }
            Self::EmailNotVerified | Self::AccountSuspended | Self::RegistrationClosed | Self::PermissionNotHeld(_) => {
                ErrorKind::Forbidden
            }
            Self::TooManyAttempts(_) => ErrorKind::RateLimited,
            Self::EmailTaken | Self::ClientHasNoSecret => ErrorKind::Conflict,
            Self::InvalidEmailToken | Self::Invalid(_) => ErrorKind::Invalid,
            Self::NotFound => ErrorKind::NotFound,
            Self::PreconditionFailed => ErrorKind::PreconditionFailed,
            Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Unavailable(detail) => Self::Unavailable(detail),
            PortError::Internal(detail) => Self::Internal(detail),
        }
    }
}

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        Self { kind: failure.kind(), detail: failure.to_string() }
    }
}
