//! Dangerous calls want more than a token that somebody may have found: that its user proved a moment ago who it is, with
//! every factor the account has (RFC 9470).

use std::sync::Arc;

use super::{Audit, Authenticate, Failure, LoginAttempt, SessionRepository, Settings, UserRepository};
use crate::{
    kernel::{Clock, Principal, UserId},
    modules::auth::domain::{Actor, Origin, Outcome, PlainPassword, Session, User},
};

/// The use cases.
#[derive(Clone)]
pub(crate) struct StepUp {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) authenticate: Authenticate,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl StepUp {
    /// Lets pass a user who logged in with us directly and did so, or stepped up, recently and with every factor. API keys
    /// and the tokens of OAuth clients never pass.
    pub(crate) async fn demand(&self, caller: &Principal) -> Result<(), Failure> {
        let user = self.owner(caller).await?;
        self.must_be_recent(caller, &user).await
    }

    /// The same for what administrators do, which scripts with API keys do too: it is demanded of a user's own session when
    /// the user has a second factor. What others may is a matter of their permissions alone.
    pub(crate) async fn demand_where_enrolled(&self, caller: &Principal) -> Result<(), Failure> {
        if caller.user().is_none() || !caller.is_first_party() {
            return Ok(());
        }
        let user = self.owner(caller).await?;
        if user.mfa_enabled { self.must_be_recent(caller, &user).await } else { Ok(()) }
    }

    /// Proves anew who it is, and renews the session. Counted like a login.
    pub(crate) async fn run(
        &self,
        caller: &Principal,
        password: PlainPassword,
        code: Option<String>,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let user = self.owner(caller).await?;
        let attempt = LoginAttempt::again(&user, password, code, origin);
        let methods = self.authenticate.again(&attempt).await?.methods;
        if !self.sessions.reauthenticate(caller.session_id, &methods, self.clock.now()).await? {
            // It ended while its user was typing.
            return Err(Failure::InvalidCredentials);
        }
        tracing::info!(event = "stepped_up", user_id = %user.id, session_id = %caller.session_id);
        let line = self.audit.entry(Actor::User(user.id), origin, "session.stepped_up", Outcome::Success);
        line.target("session", caller.session_id).write().await;
        Ok(())
    }

    async fn must_be_recent(&self, caller: &Principal, user: &User) -> Result<(), Failure> {
        let max_age = self.settings.step_up_max_age;
        let session = self.sessions.find(caller.session_id).await?;
        let is_enough = session.is_some_and(|session| {
            self.clock.now() - session.authenticated_at <= max_age && has_every_factor(&session, user)
        });
        if is_enough { Ok(()) } else { Err(Failure::StepUpRequired(max_age.num_seconds())) }
    }

    async fn owner(&self, caller: &Principal) -> Result<User, Failure> {
        let id: UserId = caller.user().filter(|_| caller.is_first_party()).ok_or(Failure::OwnerOnly)?;
        self.users.find(id).await?.ok_or(Failure::NotFound)
    }
}

/// Whether the session began, or was renewed, with all that its user's logins ask for.
fn has_every_factor(session: &Session, user: &User) -> bool {
    !user.mfa_enabled || session.methods.split(' ').any(|method| matches!(method, "otp" | "mfa"))
}
