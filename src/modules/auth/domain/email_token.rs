//! What a mail's link or code stands for.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{DisplayName, PasswordHash};
use crate::kernel::UserId;

/// At most one mail of a kind in this time for one address.
pub(crate) const RESEND_INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// At most so many mails about registrations of one address that is not verified yet, in [`REGISTRATION_INTERVAL`].
pub(crate) const REGISTRATION_MAILS: u64 = 5;
/// See [`REGISTRATION_MAILS`].
pub(crate) const REGISTRATION_INTERVAL: TimeDelta = TimeDelta::hours(1);

/// What a token may be used for; never for anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EmailPurpose {
    /// To prove that the address is the user's.
    Verification,
    /// To set a new password without the old one.
    PasswordReset,
    /// For nothing: it marks that the owner was told of an attempt to register the address again.
    TakenNotice,
}

impl EmailPurpose {
    /// The name in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::PasswordReset => "password_reset",
            Self::TakenNotice => "taken_notice",
        }
    }

    /// How long a link of this purpose works.
    pub(crate) const fn lifetime(self) -> TimeDelta {
        match self {
            Self::PasswordReset => TimeDelta::hours(1),
            Self::Verification | Self::TakenNotice => TimeDelta::hours(24),
        }
    }
}

/// A token that was mailed, as it is kept: hashes alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EmailToken {
    pub(crate) id: Uuid,
    pub(crate) user_id: UserId,
    pub(crate) purpose: EmailPurpose,
    /// SHA-256 of the link's token, in hexadecimal.
    pub(crate) token_hash: String,
    /// SHA-256 of the address and the code, in hexadecimal.
    pub(crate) code_hash: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    /// What the registration said that the token was mailed for: it becomes the account's when the token is spent, so
    /// that nobody's password comes alive by the mail that somebody else asked for.
    pub(crate) registration: Option<Credentials>,
}

/// What a registration says of an account besides its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) password_hash: PasswordHash,
    pub(crate) display_name: Option<DisplayName>,
}
