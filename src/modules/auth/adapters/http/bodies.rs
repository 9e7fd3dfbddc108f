//! Bodies as the API description shows them, and the answers' own forms.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    kernel::SessionId,
    modules::auth::{
        api::UserView,
        application::{Enrolment, IssuedTokens},
        domain::Session,
    },
};

/// What `POST /auth/register` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct RegisterBody {
    /// The address.
    #[schema(format = "email", example = "ada@example.com")]
    email: String,
    /// 8 to 1024 characters; the least is configured.
    #[schema(format = "password", example = "correct horse battery staple")]
    password: String,
    /// The name to show.
    #[schema(example = "Ada Lovelace")]
    display_name: Option<String>,
    /// A solved captcha's token, where one is asked for.
    captcha: Option<String>,
}

/// What `POST /auth/password/forgot` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct ForgotPasswordBody {
    /// The address.
    #[schema(format = "email", example = "ada@example.com")]
    email: String,
    /// A solved captcha's token, where one is asked for.
    captcha: Option<String>,
}

/// What `POST /auth/verify-email` takes: a token, or an address and a code.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct VerifyEmailBody {
    /// The mailed link's token.
    #[schema(example = "5f2b…")]
    token: Option<String>,
    /// The address, with `code`.
    email: Option<String>,
    /// The mailed code, with `email`.
    code: Option<String>,
}

/// An address.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct EmailBody {
    /// The address.
    #[schema(format = "email", example = "ada@example.com")]
    email: String,
}

/// What `POST /auth/password/change` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct ChangePasswordBody {
    /// The password so far.
    #[schema(format = "password", example = "correct horse battery staple")]
    current_password: String,
    /// 8 to 1024 characters; the least is configured.
    #[schema(format = "password", example = "a better horse battery staple")]
    new_password: String,
}

/// What `POST /auth/password/reset` takes: a token, or an address and a code, and the new password.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct ResetPasswordBody {
    /// The mailed link's token.
    #[schema(example = "5f2b…")]
    token: Option<String>,
    /// The address, with `code`.
    email: Option<String>,
    /// The mailed code, with `email`.
    code: Option<String>,
    /// 8 to 1024 characters; the least is configured.
    #[schema(format = "password", example = "a better horse battery staple")]
    new_password: String,
}

/// What `POST /auth/login` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct LoginBody {
    /// The address.
    #[schema(format = "email", example = "ada@example.com")]
    email: String,
    /// The password.
    #[schema(format = "password", example = "correct horse battery staple")]
    password: String,
    /// Where the account has a second factor: what the authenticator shows, or a recovery code.
    #[schema(example = "123456")]
    code: Option<String>,
    /// A solved captcha's token, where one is asked for: after failed logins.
    captcha: Option<String>,
}

/// What `POST /auth/mfa/totp/confirm` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct CodeBody {
    /// What the authenticator shows.
    #[schema(example = "123456")]
    code: String,
}

/// What `DELETE /auth/mfa/totp` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct PasswordAndCodeBody {
    /// The password.
    #[schema(format = "password", example = "correct horse battery staple")]
    password: String,
    /// What the authenticator shows, or a recovery code.
    #[schema(example = "123456")]
    code: String,
}

/// What `POST /auth/step-up` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct StepUpBody {
    /// The password.
    #[schema(format = "password", example = "correct horse battery staple")]
    password: String,
    /// Where the account has a second factor: what the authenticator shows, or a recovery code.
    #[schema(example = "123456")]
    code: Option<String>,
}

/// What `POST /auth/refresh` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct RefreshBody {
    /// The newest refresh token.
    #[schema(example = "eyJ0eXAiOiJydCtqd3Qi…")]
    refresh_token: String,
}

/// What `POST /auth/verify` takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct TokenBody {
    /// An access token.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3Qi…")]
    token: String,
}

/// What `PATCH /auth/me` takes; what is absent stays.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read member by member; this is its description")]
pub(super) struct ProfileBody {
    /// The name to show; null clears it.
    #[schema(example = "Ada King")]
    display_name: Option<String>,
}

/// A pair of tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct TokensBody {
    /// A JWT (RFC 9068), for `Authorization: Bearer`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// For how many seconds the access token works.
    #[schema(example = 1800)]
    expires_in: i64,
    /// Gives the next pair, once.
    refresh_token: String,
    /// For how many seconds the refresh token works.
    #[schema(example = 604_800)]
    refresh_expires_in: i64,
}

impl From<IssuedTokens> for TokensBody {
    fn from(issued: IssuedTokens) -> Self {
        Self {
            access_token: issued.access,
            token_type: "Bearer",
            expires_in: issued.expires_in,
            refresh_token: issued.refresh,
            refresh_expires_in: issued.refresh_expires_in,
        }
    }
}

/// A secret for an authenticator (RFC 6238: SHA-1, six digits, 30 seconds).
#[derive(Serialize, ToSchema)]
pub(super) struct EnrolmentBody {
    /// To type: base 32.
    #[schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")]
    secret: String,
    /// As a link.
    #[schema(example = "otpauth://totp/Vestibule:ada%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Vestibule")]
    otpauth_uri: String,
    /// The link as a QR code: an SVG document.
    qr_svg: String,
}

impl From<Enrolment> for EnrolmentBody {
    fn from(enrolment: Enrolment) -> Self {
        Self { secret: enrolment.secret, otpauth_uri: enrolment.otpauth_uri, qr_svg: enrolment.qr_svg }
    }
}

/// Recovery codes; each stands in for the authenticator once.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodesBody {
    #[schema(example = json!(["7ZQ4-0N8C-XW2K-5H6T"]))]
    pub(super) recovery_codes: Vec<String>,
}

/// What an account has beside its password.
#[derive(Serialize, ToSchema)]
pub(super) struct FactorStatusBody {
    /// Whether logins ask for a code.
    pub(super) enabled: bool,
    /// How many recovery codes are not used yet.
    #[schema(example = 10)]
    pub(super) recovery_codes_left: u64,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(super) struct UserBody {
    /// The id: a UUIDv7.
    id: uuid::Uuid,
    /// The address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// Whether it was verified.
    email_verified: bool,
    /// The name to show.
    #[schema(example = "Ada Lovelace")]
    display_name: Option<String>,
    /// `pending`, `active`, `suspended` or `deleted`.
    #[schema(example = "active")]
    status: &'static str,
    /// Role names.
    #[schema(example = json!(["user"]))]
    roles: Vec<String>,
    /// Whether a second factor is on.
    mfa_enabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: String,
    /// When it last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: String,
}

impl From<UserView> for UserBody {
    fn from(user: UserView) -> Self {
        Self {
            id: user.id.0,
            email: user.email,
            email_verified: user.email_verified,
            display_name: user.display_name,
            status: user.status,
            roles: user.roles,
            mfa_enabled: user.mfa_enabled,
            created_at: rfc3339(user.created_at),
            updated_at: rfc3339(user.updated_at),
        }
    }
}

/// What a token stands for.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenStateBody {
    /// Whether it is accepted now; if not, nothing else is told.
    pub(super) active: bool,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub: Option<String>,
    /// The user's roles when it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) roles: Option<Vec<String>>,
    /// What it permits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) permissions: Option<Vec<String>>,
    /// When it expires, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<i64>,
}

/// A page of sessions.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionsBody {
    pub(super) items: Vec<SessionBody>,
    /// Where the next page begins; null on the last.
    pub(super) next_cursor: Option<String>,
}

/// A login session.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionBody {
    /// The id: the `sid` of the session's tokens.
    id: uuid::Uuid,
    /// What the device called itself at login.
    #[schema(example = "curl/8.14.1")]
    user_agent: Option<String>,
    /// Where the login came from.
    #[schema(example = "192.0.2.7")]
    ip_address: Option<String>,
    /// Whether it is the session of this very call.
    current: bool,
    /// When it began.
    #[schema(value_type = String, format = "date-time")]
    created_at: String,
    /// When it was last refreshed, or began.
    #[schema(value_type = String, format = "date-time")]
    last_used_at: String,
    /// When it ends unless it is refreshed.
    #[schema(value_type = String, format = "date-time")]
    expires_at: String,
    /// When it ends for good, however often it is refreshed.
    #[schema(value_type = String, format = "date-time")]
    ends_at: String,
}

impl SessionBody {
    pub(super) fn new(session: &Session, current: SessionId) -> Self {
        Self {
            id: session.id.0,
            user_agent: session.device.user_agent.clone(),
            ip_address: session.device.address.clone(),
            current: session.id == current,
            created_at: rfc3339(session.created_at),
            last_used_at: rfc3339(session.last_used_at()),
            expires_at: rfc3339(session.expires_at),
            ends_at: rfc3339(session.ends_at),
        }
    }
}

/// As in every answer: UTC, with microseconds.
pub(super) fn rfc3339(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
