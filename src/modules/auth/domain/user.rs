//! A user, and who may log in.

use chrono::{DateTime, Utc};

use super::{DisplayName, Email, PasswordHash, RoleName};
use crate::kernel::{UserId, error::ValueFault};

/// What state an account is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserStatus {
    /// Made, and waiting for its address to be verified.
    Pending,
    /// In use.
    Active,
    /// Stopped by an administrator.
    Suspended,
    /// Gone, kept for the record.
    Deleted,
}

impl UserStatus {
    /// The name, as in answers and in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// Reads the name.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        [Self::Pending, Self::Active, Self::Suspended, Self::Deleted]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| ValueFault::new("unknown-status", format!("there is no status {text:?}")))
    }
}

/// Why a user with the right password may not log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginRefusal {
    /// The address is not verified, and has to be.
    EmailNotVerified,
    /// The account is suspended.
    Suspended,
    /// The account is deleted: to its former owner as if it had never been.
    Deleted,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) email_verified: bool,
    pub(crate) display_name: Option<DisplayName>,
    pub(crate) status: UserStatus,
    pub(crate) roles: Vec<RoleName>,
    pub(crate) password_hash: PasswordHash,
    /// Whether a login asks for a second factor.
    pub(crate) mfa_enabled: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl User {
    /// Whether this user may log in: the account is active, and its address verified where that is asked for. A pending
    /// account is one whose address is all that is missing.
    pub(crate) fn can_log_in(&self, verified_email_required: bool) -> Result<(), LoginRefusal> {
        match self.status {
            UserStatus::Deleted => Err(LoginRefusal::Deleted),
            UserStatus::Suspended => Err(LoginRefusal::Suspended),
            UserStatus::Active | UserStatus::Pending if !verified_email_required => Ok(()),
            UserStatus::Active if self.email_verified => Ok(()),
            UserStatus::Active | UserStatus::Pending => Err(LoginRefusal::EmailNotVerified),
        }
    }

    /// The names of the user's roles.
    pub(crate) fn role_names(&self) -> Vec<String> {
        self.roles.iter().map(|role| role.as_str().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use LoginRefusal::{Deleted, EmailNotVerified, Suspended};

    #[rstest]
    #[case(UserStatus::Active, true, true, Ok(()))]
    #[case(UserStatus::Active, false, false, Ok(()))]
    #[case(UserStatus::Active, false, true, Err(EmailNotVerified))]
    #[case(UserStatus::Pending, false, true, Err(EmailNotVerified))]
    #[case(UserStatus::Pending, true, true, Err(EmailNotVerified))]
    #[case(UserStatus::Pending, false, false, Ok(()))]
    #[case(UserStatus::Suspended, true, true, Err(Suspended))]
    #[case(UserStatus::Suspended, false, false, Err(Suspended))]
    #[case(UserStatus::Deleted, true, false, Err(Deleted))]
    fn only_active_and_verified_users_log_in(
        #[case] status: UserStatus,
        #[case] email_verified: bool,
        #[case] verification_required: bool,
        #[case] expected: Result<(), LoginRefusal>,
    ) {
        let user = User {
            id: UserId(uuid::Uuid::nil()),
            email: Email::parse("ada@example.com").unwrap(),
            email_verified,
            display_name: None,
            status,
            roles: vec![RoleName::user()],
            password_hash: PasswordHash::from_text(String::new()),
            mfa_enabled: false,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        assert_eq!(user.can_log_in(verification_required), expected);
    }
}
