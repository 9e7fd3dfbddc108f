//! The module's problems, and how its failures become them.

use std::time::Duration;

use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};

use crate::{
    kernel::ErrorKind,
    modules::auth::{api::AuthError, application::Failure},
    platform::http::{
        Problem, ProblemType,
        authentication::forbidden,
        problem::{self, CONFLICT, FORBIDDEN, INTERNAL, NOT_FOUND, PRECONDITION_FAILED, UNAVAILABLE},
    },
};

macro_rules! problems {
    ($($name:ident = $status:literal $code:literal, $title:literal, $about:literal;)*) => {
        $(const $name: ProblemType = ProblemType { code: $code, status: $status, title: $title, about: $about };)*

        /// Every problem type of this module.
        pub const PROBLEMS: &[&ProblemType] = &[$(&$name),*];
    };
}

problems! {
    INVALID_CREDENTIALS = 401 "invalid-credentials", "The address or the password is wrong",
        "There is no such account, or the password is another one. Which of the two is never told.";
    MFA_REQUIRED = 401 "mfa-required", "A second factor is needed",
        "The password is right, and the account has a second factor. Send the same again with `code`: what the authenticator shows, or a recovery code.";
    INVALID_CODE = 401 "invalid-code", "The code is wrong",
        "The password is right, the code is not what the authenticator shows now, or it was used before. Each code works once: wait for the next one, or send a recovery code.";
    STEP_UP_REQUIRED = 401 "step-up-required", "A recent login is needed",
        "The call is dangerous, and the session's login is longer ago than `max_age` seconds, or lacks the account's second factor. Send password and code to `POST /auth/step-up`, then the call again.";
    MFA_ENABLED = 409 "mfa-enabled", "There is a second factor already",
        "Take it off first, by `DELETE /auth/mfa/totp`.";
    INVALID_PASSKEY = 401 "invalid-passkey", "The passkey is not valid",
        "It is not known here, or its answer is wrong, came too late, or came before. Begin again with `POST /auth/passkeys/login/start`.";
    PASSKEYS_DISABLED = 403 "passkeys-disabled", "Passkeys are not enabled",
        "This installation takes no passkeys. Log in by `POST /auth/login`.";
    PASSKEY_KNOWN = 409 "passkey-known", "The passkey is registered already",
        "A passkey belongs to one account, once.";
    TOO_MANY_PASSKEYS = 409 "too-many-passkeys", "There are too many passkeys",
        "A user has a limited number of passkeys. Remove one that is not needed, then add another.";
    EMAIL_NOT_VERIFIED = 403 "email-not-verified", "The e-mail address is not verified",
        "Follow the link in the mail that was sent at registration, or ask for another by `POST /auth/verify-email/resend`.";
    ACCOUNT_SUSPENDED = 403 "account-suspended", "The account is suspended",
        "An administrator has suspended the account.";
    TOO_MANY_ATTEMPTS = 429 "too-many-attempts", "Too many failed attempts",
        "There were too many failed logins for this account, or from this client. Wait as long as `Retry-After` says.";
    CAPTCHA_REQUIRED = 403 "captcha-required", "A captcha has to be solved",
        "Show the widget of the provider that `captcha` names, with its site key, and send the same again with the token that it gives as `captcha`. A token works once.";
    EMAIL_TAKEN = 409 "email-taken", "The address is taken",
        "There is an account with this address already. Log in, or use another address.";
    TOO_MANY_API_KEYS = 409 "too-many-api-keys", "There are too many API keys",
        "A user has a limited number of API keys. Revoke one that is not needed, then make another.";
    OWN_ACCOUNT = 409 "own-account", "This is your own account",
        "Nobody suspends or deletes the own account, or takes its factors off, by administration. Another administrator, or the command line, can.";
    LAST_ADMINISTRATOR = 409 "last-administrator", "This is the last administrator",
        "After this change nobody could administer any more. Give the role `admin` to somebody else first.";
    ROLE_IN_USE = 409 "role-in-use", "The role is in use",
        "A user has the role, or another role inherits from it. Take it away there first.";
    BUILT_IN_ROLE = 409 "built-in-role", "The role is built in",
        "The roles `admin` and `user` exist always.";
    IDEMPOTENCY_KEY_REUSED = 422 "idempotency-key-reused", "The Idempotency-Key was used for another request",
        "A key stands for one request. Send the same request to get the same answer, or another key.";
    IDEMPOTENCY_KEY_IN_USE = 409 "idempotency-key-in-use", "A request with this Idempotency-Key is being served",
        "The first request with this key is not done yet. Send it again after `Retry-After` to get its answer.";
    REGISTRATION_CLOSED = 403 "registration-closed", "Registration is closed",
        "Accounts are made by administrators here.";
    INVALID_TOKEN = 422 "invalid-token", "The link or code is not valid",
        "It is unknown, was used, or has expired. Ask for a new mail by `POST /auth/verify-email/resend`, or `POST /auth/password/forgot`.";
    INVALID_REFRESH_TOKEN = 401 "invalid-refresh-token", "The refresh token is not valid",
        "It is not a refresh token of ours, it has expired, or its session has ended. Log in again.";
    REFRESH_TOKEN_REUSED = 401 "refresh-token-reused", "The refresh token was used before",
        "A refresh token works once. This one came again, so somebody may have copied it: its session was ended. Log in again.";
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let detail = failure.to_string();
        match failure {
            Failure::InvalidCredentials => challenge(Problem::new(&INVALID_CREDENTIALS, detail)),
            Failure::MfaRequired => challenge(Problem::new(&MFA_REQUIRED, detail)),
            Failure::InvalidCode => challenge(Problem::new(&INVALID_CODE, detail)),
            Failure::InvalidPasskey => challenge(Problem::new(&INVALID_PASSKEY, detail)),
            Failure::PasskeysDisabled => Problem::new(&PASSKEYS_DISABLED, detail),
            Failure::PasskeyKnown => Problem::new(&PASSKEY_KNOWN, detail),
            Failure::TooManyPasskeys(_) => Problem::new(&TOO_MANY_PASSKEYS, detail),
            Failure::StepUpRequired(max_age) => step_up(detail, max_age),
            Failure::MfaEnabled => Problem::new(&MFA_ENABLED, detail),
            Failure::OwnerOnly => Problem::new(&FORBIDDEN, detail),
            Failure::EmailNotVerified => Problem::new(&EMAIL_NOT_VERIFIED, detail),
            Failure::AccountSuspended => Problem::new(&ACCOUNT_SUSPENDED, detail),
            Failure::TooManyAttempts(wait) => Problem::new(&TOO_MANY_ATTEMPTS, detail).retry_after(wait),
            Failure::CaptchaRequired { provider, site_key } => Problem::new(&CAPTCHA_REQUIRED, detail)
                .with_member("captcha", serde_json::json!({"provider": provider, "site_key": site_key})),
            Failure::EmailTaken => Problem::new(&EMAIL_TAKEN, detail),
            Failure::TooManyApiKeys(_) => Problem::new(&TOO_MANY_API_KEYS, detail),
            Failure::OwnAccount => Problem::new(&OWN_ACCOUNT, detail),
            Failure::LastAdministrator => Problem::new(&LAST_ADMINISTRATOR, detail),
            Failure::BeyondOwnPermissions(lacking) => forbidden(&lacking.join(" ")),
            Failure::RoleInUse(_) => Problem::new(&ROLE_IN_USE, detail),
            Failure::BuiltInRole => Problem::new(&BUILT_IN_ROLE, detail),
            Failure::IdempotencyKeyReused => Problem::new(&IDEMPOTENCY_KEY_REUSED, detail),
            Failure::IdempotencyKeyInUse => {
                Problem::new(&IDEMPOTENCY_KEY_IN_USE, detail).retry_after(Duration::from_secs(1))
            }
            Failure::RegistrationClosed => Problem::new(&REGISTRATION_CLOSED, detail),
            Failure::InvalidEmailToken => Problem::new(&INVALID_TOKEN, detail),
            Failure::InvalidRefreshToken => challenge(Problem::new(&INVALID_REFRESH_TOKEN, detail)),
            Failure::RefreshTokenReused => challenge(Problem::new(&REFRESH_TOKEN_REUSED, detail)),
            Failure::ClientHasNoSecret => Problem::new(&CONFLICT, detail),
            Failure::NotFound | Failure::RoleNotFound | Failure::MfaNotEnabled | Failure::MfaNotBegun => {
                Problem::new(&NOT_FOUND, detail)
            }
            Failure::PreconditionFailed => Problem::new(&PRECONDITION_FAILED, detail),
            Failure::Invalid(faults) => Problem::invalid(faults),
            Failure::Unavailable(why) => unavailable(&why),
            Failure::Internal(why) => {
                tracing::error!(event = "auth_failed", error = %why);
                Problem::new(&INTERNAL, "a fault of the server; it is logged")
            }
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error.kind {
            ErrorKind::Unavailable | ErrorKind::Timeout => unavailable(&error.detail),
            ErrorKind::Internal => Failure::Internal(error.detail).into(),
            kind => Problem::new(problem::general(kind), error.detail),
        }
    }
}

fn unavailable(why: &str) -> Problem {
    tracing::warn!(event = "auth_unavailable", error = %why);
    Problem::new(&UNAVAILABLE, "a dependency or a capacity is missing at the moment")
        .retry_after(Duration::from_secs(1))
}

/// RFC 9470 §3.
fn step_up(detail: String, max_age: i64) -> Problem {
    let text = format!(
        "Bearer error=\"insufficient_user_authentication\", error_description=\"{detail}\", max_age=\"{max_age}\""
    );
    let value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"));
    Problem::new(&STEP_UP_REQUIRED, detail).with_member("max_age", max_age.into()).with_header(WWW_AUTHENTICATE, value)
}

/// RFC 9110 §15.5.2: a 401 names a way to authenticate.
fn challenge(problem: Problem) -> Problem {
    problem.with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}
