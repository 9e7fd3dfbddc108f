//! An administrator changes a user: the address, the status, the roles, the password.

use chrono::{DateTime, Utc};

use super::{AdministerUsers, read_roles};
use crate::{
    kernel::{FieldFault, UserId},
    modules::auth::{
        api::UserView,
        application::{Administered, Administrator, Changed, Failure, Mail, Notice, view_of},
        domain::{DisplayName, Email, Outcome, PasswordOwner, PlainPassword, RoleName, User, UserChange},
    },
};

/// Which user, and in which version: that which the caller has read, or any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WhichUser {
    pub(crate) id: UserId,
    pub(crate) unless_changed_since: Option<DateTime<Utc>>,
}

impl AdministerUsers {
    /// Sets the address and the name. A new address counts as verified, since an administrator vouches for it.
    pub(crate) async fn replace(
        &self,
        by: &Administrator,
        which: WhichUser,
        email: Email,
        display_name: Option<DisplayName>,
    ) -> Result<UserView, Failure> {
        self.change(by, which, UserChange::Identity { email, display_name }).await
    }

    /// Stops the account: no login, no session, no access token.
    pub(crate) async fn suspend(&self, by: &Administrator, which: WhichUser) -> Result<UserView, Failure> {
        by.must_not_be(which.id)?;
        self.change(by, which, UserChange::Suspend).await
    }

    /// Lets the account be used again, or for the first time.
    pub(crate) async fn activate(&self, by: &Administrator, which: WhichUser) -> Result<UserView, Failure> {
        self.change(by, which, UserChange::Activate).await
    }

    /// Ends the account. Its address is free again.
    pub(crate) async fn delete(&self, by: &Administrator, which: WhichUser) -> Result<(), Failure> {
        by.must_not_be(which.id)?;
        self.change(by, which, UserChange::Delete).await.map(drop)
    }

    /// Gives the user these roles and no others; `user` when there are none. They show in the next token.
    pub(crate) async fn set_roles(
        &self,
        by: &Administrator,
        which: WhichUser,
        roles: &[String],
    ) -> Result<UserView, Failure> {
        let catalog = self.roles.catalog().await?;
        let mut faults = Vec::new();
        let mut roles = read_roles(&mut faults, roles, &catalog);
        if !faults.is_empty() {
            return Err(Failure::Invalid(faults));
        }
        if roles.is_empty() {
            roles.push(RoleName::user());
        }
        by.must_hold(&catalog.permissions_of(&roles))?;
        self.change(by, which, UserChange::Roles(roles)).await
    }

    /// Sets the password, and ends every session.
    pub(crate) async fn set_password(
        &self,
        by: &Administrator,
        which: WhichUser,
        password: &PlainPassword,
    ) -> Result<UserView, Failure> {
        let user = self.find(which.id).await?;
        let owner = PasswordOwner { email: &user.email, display_name: user.display_name.as_ref() };
        self.policy.check("/password", password, owner).await?;
        let hash = self.passwords.hash(password).await?;
        self.change(by, which, UserChange::Password(hash)).await
    }

    /// Takes the second factor and the passkeys off, for a user who lost them; the sessions end. Who takes off the own does
    /// so with proof of them.
    pub(crate) async fn remove_factors(&self, by: &Administrator, which: WhichUser) -> Result<UserView, Failure> {
        by.must_not_be(which.id)?;
        self.change(by, which, UserChange::RemoveFactors).await
    }

    async fn change(&self, by: &Administrator, which: WhichUser, change: UserChange) -> Result<UserView, Failure> {
        let before = self.find(which.id).await?;
        if by.is_remote() {
            // Who administers somebody more powerful could become that somebody: by a new address, and a reset link.
            by.must_hold(&self.roles.catalog().await?.permissions_of(&before.roles))?;
        }
        let now = self.clock.now();
        let wanted = Administered {
            user: which.id,
            change,
            at: now,
            tokens_until: now + self.settings.access_ttl,
            unless_changed_since: which.unless_changed_since,
            keeps_an_administrator: by.is_remote(),
        };
        let (user, ended) = match self.directory.change(&wanted).await? {
            Changed::Done { user, ended } => (user, ended),
            Changed::NotFound => return Err(Failure::NotFound),
            Changed::Stale => return Err(Failure::PreconditionFailed),
            Changed::EmailTaken => return Err(Failure::EmailTaken),
            Changed::LastAdministrator => return Err(Failure::LastAdministrator),
            Changed::UnknownRole => {
                let gone = FieldFault::new("/roles", "unknown-role", "one of the roles was deleted meanwhile");
                return Err(Failure::Invalid(vec![gone]));
            }
        };
        self.revocations.revoked(&ended);
        let action = wanted.change.action();
        tracing::info!(event = "user_changed", action, user_id = %user.id, sessions_ended = ended.len());
        let mut line = self.audit.entry(by.actor.clone(), &by.origin, action, Outcome::Success).target("user", user.id);
        if let UserChange::Roles(_) = wanted.change {
            line = line.detail("roles", user.role_names());
        }
        if wanted.change.ends_sessions().is_some() {
            line = line.detail("sessions_ended", ended.len());
        }
        line.write().await;
        self.notify(&wanted.change, &before, &user).await;
        Ok(view_of(&user))
    }

    /// Tells the user what became of the credentials: at the address before, too, which may not know of the new one.
    async fn notify(&self, change: &UserChange, before: &User, user: &User) {
        let tell = async |to: &Email, notice: Notice| self.mailer.post(Mail::Changed { to: to.clone(), notice }).await;
        match change {
            UserChange::Identity { email, .. } if *email != before.email => {
                for to in [&before.email, email] {
                    tell(to, Notice::AddressChanged(email.clone())).await;
                }
            }
            UserChange::Password(_) => tell(&user.email, Notice::PasswordSet).await,
            UserChange::RemoveFactors => tell(&user.email, Notice::FactorsRemoved).await,
            UserChange::Identity { .. }
            | UserChange::Suspend
            | UserChange::Activate
            | UserChange::Delete
            | UserChange::Roles(_) => {}
        }
    }
}
