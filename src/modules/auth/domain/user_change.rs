//! What an administrator can change of a user, and what follows from it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{DisplayName, Email, PasswordHash, RoleName, User, UserStatus};

/// A change that an administrator makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserChange {
    /// Another address or name. The administrator vouches for a new address: it counts as verified.
    Identity {
        /// The address.
        email: Email,
        /// The name; `None`: no longer one.
        display_name: Option<DisplayName>,
    },
    /// The user may not log in until it is activated again.
    Suspend,
    /// The user may log in. Where the account waited for its address to be verified, the administrator vouches for it.
    Activate,
    /// The account is gone, and its address free. What it said of a person goes; its id stays for the record.
    Delete,
    /// These roles and no others.
    Roles(Vec<RoleName>),
    /// Another password.
    Password(PasswordHash),
    /// No second factor and no passkeys any more: who lost them is let in by the password alone.
    RemoveFactors,
}

impl UserChange {
    /// Makes the change. `updated_at` moves whenever anything does, even twice within one tick of the clock.
    pub(crate) fn apply(&self, user: &mut User, now: DateTime<Utc>) {
        let before = user.clone();
        match self {
            Self::Identity { email, display_name } => {
                if user.email != *email {
                    user.email = email.clone();
                    vouch(user);
                }
                user.display_name.clone_from(display_name);
            }
            Self::Suspend => user.status = UserStatus::Suspended,
            Self::Activate if user.status == UserStatus::Pending => vouch(user),
            Self::Activate => user.status = UserStatus::Active,
            Self::Delete => {
                user.status = UserStatus::Deleted;
                user.email = Email::of_deleted(user.id);
                user.email_verified = false;
                user.display_name = None;
                user.password_hash = PasswordHash::none();
                user.roles.clear();
                user.mfa_enabled = false;
            }
            Self::Roles(roles) => user.roles.clone_from(roles),
            Self::Password(hash) => user.password_hash = hash.clone(),
            Self::RemoveFactors => user.mfa_enabled = false,
        }
        if *user != before {
            user.updated_at = now.max(before.updated_at + TimeDelta::microseconds(1));
        }
    }

    /// Why the user's sessions end with it; `None`: they do not.
    pub(crate) fn ends_sessions(&self) -> Option<&'static str> {
        match self {
            Self::Suspend => Some("suspended"),
            Self::Delete => Some("deleted"),
            Self::Password(_) => Some("password_reset"),
            // What was lost may be in other hands.
            Self::RemoveFactors => Some("factors_removed"),
            Self::Identity { .. } | Self::Activate | Self::Roles(_) => None,
        }
    }

    /// Whether links mailed to the user before must no longer work: they went to another address, or set a password that
    /// is set.
    pub(crate) fn voids_mails(&self, before: &User) -> bool {
        match self {
            Self::Identity { email, .. } => before.email != *email,
            Self::Delete | Self::Password(_) => true,
            Self::Suspend | Self::Activate | Self::Roles(_) | Self::RemoveFactors => false,
        }
    }

    /// Whether the second factor and the passkeys go with it.
    pub(crate) const fn removes_factors(&self) -> bool {
        matches!(self, Self::Delete | Self::RemoveFactors)
    }

    /// The name in the audit log.
    pub(crate) const fn action(&self) -> &'static str {
        match self {
            Self::Identity { .. } => "user.updated",
            Self::Suspend => "user.suspended",
            Self::Activate => "user.activated",
            Self::Delete => "user.deleted",
            Self::Roles(_) => "user.roles_changed",
            Self::Password(_) => "password.reset",
            Self::RemoveFactors => "mfa.disabled",
        }
    }
}

/// The address counts as verified, and an account that waited for that is active.
fn vouch(user: &mut User) {
    user.email_verified = true;
    if user.status == UserStatus::Pending {
        user.status = UserStatus::Active;
    }
}

impl User {
    /// Whether it can administer everything, now.
    pub(crate) fn is_administrator(&self) -> bool {
        self.status == UserStatus::Active && self.roles.contains(&RoleName::admin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::UserId;

    fn ada() -> User {
        User {
            id: UserId(uuid::Uuid::from_u128(7)),
            email: Email::parse("ada@example.com").unwrap(),
            email_verified: false,
            display_name: Some(DisplayName::parse("Ada").unwrap()),
            status: UserStatus::Pending,
            roles: vec![RoleName::user()],
            password_hash: PasswordHash::from_text("hash".to_owned()),
            mfa_enabled: false,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_administrator_vouches_for_an_address() {
        let mut user = ada();
        let rename = UserChange::Identity { email: user.email.clone(), display_name: None };
        rename.apply(&mut user, DateTime::UNIX_EPOCH);
        assert_eq!((user.email_verified, user.status), (false, UserStatus::Pending), "the same address as before");
        assert!(!rename.voids_mails(&ada()));
        let moved = UserChange::Identity { email: Email::parse("a@example.com").unwrap(), display_name: None };
        moved.apply(&mut user, DateTime::UNIX_EPOCH);
        assert_eq!((user.email_verified, user.status), (true, UserStatus::Active));
        assert!(moved.voids_mails(&ada()));
        let mut other = ada();
        UserChange::Activate.apply(&mut other, DateTime::UNIX_EPOCH);
        assert_eq!((other.email_verified, other.status), (true, UserStatus::Active));
    }

    #[test]
    fn a_deleted_user_leaves_nothing_of_the_person() {
        let mut user = ada();
        UserChange::Delete.apply(&mut user, DateTime::UNIX_EPOCH);
        assert!(!user.email.as_str().contains("ada") && !user.password_hash.is_usable() && user.roles.is_empty());
        assert_eq!(Email::parse(user.email.as_str()).unwrap(), user.email, "it can be read again");
    }

    #[test]
    fn who_lost_the_second_factor_starts_anew() {
        let mut user = User { mfa_enabled: true, ..ada() };
        UserChange::RemoveFactors.apply(&mut user, DateTime::UNIX_EPOCH);
        assert!(!user.mfa_enabled && user.updated_at > ada().updated_at);
        assert!(UserChange::RemoveFactors.ends_sessions().is_some() && UserChange::RemoveFactors.removes_factors());
        assert!(!UserChange::RemoveFactors.voids_mails(&user) && !UserChange::Suspend.removes_factors());
    }

    #[test]
    fn a_version_moves_with_every_change_and_with_nothing_else() {
        let mut user = ada();
        let start = user.updated_at;
        UserChange::Suspend.apply(&mut user, start);
        let first = user.updated_at;
        assert!(first > start);
        UserChange::Suspend.apply(&mut user, start + TimeDelta::days(1));
        assert_eq!(user.updated_at, first);
        UserChange::Activate.apply(&mut user, start);
        assert!(user.updated_at > first);
    }
}
