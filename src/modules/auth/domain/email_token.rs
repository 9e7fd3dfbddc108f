//! What a mail's link or code stands for.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::kernel::{UserId, error::ValueFault};

/// How long a link works.
pub(in crate::modules::auth) const TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(24);
/// At most one mail of a kind in this time for one address.
pub(in crate::modules::auth) const RESEND_INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// What a token may be used for; never for anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::modules::auth) enum EmailPurpose {
    /// To prove that the address is the user's.
    Verification,
    /// For nothing: it marks that the owner was told of an attempt to register the address again.
    TakenNotice,
}

impl EmailPurpose {
    /// The name in the store.
    pub(in crate::modules::auth) const fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::TakenNotice => "taken_notice",
        }
    }

    /// Reads the name.
    pub(in crate::modules::auth) fn parse(text: &str) -> Result<Self, ValueFault> {
        [Self::Verification, Self::TakenNotice]
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
            .ok_or_else(|| ValueFault::new("unknown-purpose", format!("there is no purpose {text:?}")))
    }
}

/// A token that was mailed, as it is kept: hashes alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::modules::auth) struct EmailToken {
    pub(in crate::modules::auth) id: Uuid,
    pub(in crate::modules::auth) user_id: UserId,
    pub(in crate::modules::auth) purpose: EmailPurpose,
    /// SHA-256 of the link's token, in hexadecimal.
    pub(in crate::modules::auth) token_hash: String,
    /// SHA-256 of the user's id and the code, in hexadecimal.
    pub(in crate::modules::auth) code_hash: String,
    pub(in crate::modules::auth) created_at: DateTime<Utc>,
    pub(in crate::modules::auth) expires_at: DateTime<Utc>,
}
