//! In whose name administration is done, and what that person may give to others: never more than the own.

use super::Failure;
use crate::{
    kernel::{Principal, UserId},
    modules::auth::domain::{ADMIN_PERMISSIONS, Actor, Origin},
};

/// Somebody who administers.
#[derive(Debug, Clone)]
pub(crate) struct Administrator {
    /// Who.
    pub(crate) actor: Actor,
    /// From where.
    pub(crate) origin: Origin,
    /// What the token may do; `None`: everything, as whoever may run our commands.
    may: Option<Vec<String>>,
}

impl Administrator {
    /// Whoever may run our commands.
    pub(crate) fn command_line() -> Self {
        Self { actor: Actor::CommandLine, origin: Origin::default(), may: None }
    }

    /// The caller of a request.
    pub(crate) fn of(caller: &Principal, origin: Origin) -> Self {
        Self { actor: Actor::of(caller), origin, may: Some(caller.scopes.clone()) }
    }

    /// Whether it is somebody who calls, and could do something by accident.
    pub(crate) fn is_remote(&self) -> bool {
        self.may.is_some()
    }

    /// Refuses what would act on the administrator's own account.
    pub(crate) fn must_not_be(&self, user: UserId) -> Result<(), Failure> {
        if self.actor == Actor::User(user) { Err(Failure::OwnAccount) } else { Ok(()) }
    }

    /// Refuses to hand out, or to touch who has, permissions that the own token lacks. A token that may do all that the
    /// product knows may give any: the names of others' permissions are made somewhere.
    pub(crate) fn must_hold<'a>(&self, permissions: impl IntoIterator<Item = &'a String>) -> Result<(), Failure> {
        let Some(may) = &self.may else { return Ok(()) };
        let holds = |permission: &str| may.iter().any(|held| held == permission);
        if ADMIN_PERMISSIONS.into_iter().all(holds) {
            return Ok(());
        }
        let lacking: Vec<_> = permissions.into_iter().filter(|needed| !holds(needed)).cloned().collect();
        if lacking.is_empty() { Ok(()) } else { Err(Failure::BeyondOwnPermissions(lacking)) }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::kernel::{SessionId, Subject};

    fn caller(scopes: &[&str]) -> Administrator {
        let principal = Principal {
            subject: Subject::User(UserId(uuid::Uuid::nil())),
            session_id: SessionId(uuid::Uuid::nil()),
            client_id: "vestibule".to_owned(),
            email: None,
            roles: Vec::new(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            expires_at: DateTime::UNIX_EPOCH,
        };
        Administrator::of(&principal, Origin::default())
    }

    #[test]
    fn nobody_gives_more_than_the_own() {
        let wanted = ["users:read".to_owned(), "orders:read".to_owned()];
        assert_eq!(caller(&["users:read", "orders:read", "x:y"]).must_hold(&wanted), Ok(()));
        let refused = caller(&["users:read", "users:write"]).must_hold(&wanted);
        assert_eq!(refused, Err(Failure::BeyondOwnPermissions(vec!["orders:read".to_owned()])));
        assert_eq!(caller(&ADMIN_PERMISSIONS).must_hold(&wanted), Ok(()));
        assert_eq!(Administrator::command_line().must_hold(&wanted), Ok(()));
    }
}
