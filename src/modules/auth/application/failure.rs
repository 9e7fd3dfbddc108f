//! Why a use case fails: the one error type of the module's inside. The edges turn it into problem details, or into the
//! `AuthError` that other modules see.

use std::time::Duration;

use super::{Held, PortError};
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
    /// The password is right, the code of the second factor is not, or was used before.
    #[error("the code is wrong, or was used before")]
    InvalidCode,
    /// There is a second factor already.
    #[error("a second factor is on already")]
    MfaEnabled,
    /// There is no second factor.
    #[error("there is no second factor")]
    MfaNotEnabled,
    /// There is no secret that waits for its first code.
    #[error("there is no secret to confirm; begin with `POST /auth/mfa/totp`")]
    MfaNotBegun,
    /// The call wants a login, or a step-up, at most so many seconds ago and with every factor of the account.
    #[error("this needs a login that is recent, and with every factor of the account")]
    StepUpRequired(i64),
    /// What the owner of an account alone may do, and an API key or an OAuth client tried.
    #[error("this needs a token of a login with address and password")]
    OwnerOnly,
    /// The password is right, the address not yet verified.
    #[error("the e-mail address has to be verified first")]
    EmailNotVerified,
    /// The password is right, the account suspended.
    #[error("the account is suspended")]
    AccountSuspended,
    /// Too many failed attempts for this account or from this client.
    #[error("too many failed attempts")]
    TooManyAttempts(Duration),
    /// A riddle of this provider has to be solved first.
    #[error("a captcha has to be solved first")]
    CaptchaRequired {
        /// Whose.
        provider: &'static str,
        /// The public key for its widget.
        site_key: String,
    },
    /// No passkey of ours, a wrong or late answer, or one that was used before; which of them is never told.
    #[error("the passkey is not known here, or its answer came too late, or before")]
    InvalidPasskey,
    /// Logins by passkey are off.
    #[error("passkeys are not enabled here")]
    PasskeysDisabled,
    /// Somebody has the passkey already.
    #[error("this passkey is registered already")]
    PasskeyKnown,
    /// The user has as many passkeys as allowed.
    #[error("there are {0} passkeys already; remove one first")]
    TooManyPasskeys(u32),
    /// The address has an account already.
    #[error("there is an account with this address already")]
    EmailTaken,
    /// The user has as many API keys as allowed.
    #[error("there are {0} API keys already; revoke one first")]
    TooManyApiKeys(u32),
    /// An administrator is about to stop or delete the own account.
    #[error("this is your own account; another administrator has to do that")]
    OwnAccount,
    /// Nobody could administer any more.
    #[error("this is the last administrator; make another one first")]
    LastAdministrator,
    /// The change would give, or touch, permissions that the caller does not have.
    #[error("this needs permissions that you do not have: {}", .0.join(", "))]
    BeyondOwnPermissions(Vec<String>),
    /// There is no role of this name.
    #[error("there is no such role")]
    RoleNotFound,
    /// A user has the role, or another role inherits from it.
    #[error("the role is in use: {0}")]
    RoleInUse(String),
    /// The product's own roles exist always.
    #[error("`admin` and `user` exist always")]
    BuiltInRole,
    /// The key stood for another call.
    #[error("this Idempotency-Key was sent with another request before")]
    IdempotencyKeyReused,
    /// The first call with this key is not done yet.
    #[error("a request with this Idempotency-Key is being served at the moment")]
    IdempotencyKeyInUse,
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
            Self::InvalidCredentials
            | Self::MfaRequired
            | Self::InvalidCode
            | Self::InvalidPasskey
            | Self::StepUpRequired(_)
            | Self::InvalidRefreshToken
            | Self::RefreshTokenReused => ErrorKind::Unauthenticated,
            Self::CaptchaRequired { .. }
            | Self::EmailNotVerified
            | Self::AccountSuspended
            | Self::RegistrationClosed
            | Self::PasskeysDisabled
            | Self::OwnerOnly
            | Self::BeyondOwnPermissions(_) => ErrorKind::Forbidden,
            Self::TooManyAttempts(_) => ErrorKind::RateLimited,
            Self::EmailTaken
            | Self::TooManyApiKeys(_)
            | Self::PasskeyKnown
            | Self::TooManyPasskeys(_)
            | Self::MfaEnabled
            | Self::ClientHasNoSecret
            | Self::OwnAccount
            | Self::LastAdministrator
            | Self::RoleInUse(_)
            | Self::BuiltInRole
            | Self::IdempotencyKeyInUse => ErrorKind::Conflict,
            Self::InvalidEmailToken | Self::Invalid(_) | Self::IdempotencyKeyReused => ErrorKind::Invalid,
            Self::NotFound | Self::RoleNotFound | Self::MfaNotEnabled | Self::MfaNotBegun => ErrorKind::NotFound,
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

impl From<Held> for Failure {
    fn from(held: Held) -> Self {
        match held {
            Held::For(wait) => Self::TooManyAttempts(wait),
            Held::Unknown(error) => error.into(),
        }
    }
}

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        Self { kind: failure.kind(), detail: failure.to_string() }
    }
}
