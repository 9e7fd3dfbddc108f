//! A user logs in with address and password. Whoever does not know the password learns nothing, not even by the time it
//! takes; who guesses too often waits.

use std::{net::IpAddr, sync::Arc};

use super::{
    AttemptLimiter, Failure, IssueTokens, IssuedTokens, Passwords, SessionStore, UserStore, Verdict,
    issue_tokens::FIRST_PARTY,
};
use crate::{
    kernel::{Clock, Random, SessionId},
    modules::auth::domain::{Device, Email, LoginRefusal, PlainPassword, Session, User},
};

/// What a login says.
#[derive(Debug, Clone)]
pub(crate) struct LoginAttempt {
    pub(crate) email: Email,
    pub(crate) password: PlainPassword,
    /// Where it comes from.
    pub(crate) client: IpAddr,
    /// What the client calls itself.
    pub(crate) user_agent: Option<String>,
}

/// The use case.
#[derive(Clone)]
pub(crate) struct LogIn {
    pub(crate) users: Arc<dyn UserStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) attempts: Arc<dyn AttemptLimiter>,
    pub(crate) tokens: IssueTokens,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl LogIn {
    /// A new session's tokens.
    pub(crate) async fn run(&self, attempt: LoginAttempt) -> Result<IssuedTokens, Failure> {
        let account = attempt.email.as_str();
        self.attempts.check(account, attempt.client).map_err(Failure::TooManyAttempts)?;
        let user = self.users.find_by_email(&attempt.email).await?;
        let hash = user.as_ref().map(|user| &user.password_hash).filter(|hash| hash.is_usable());
        let verdict = self.passwords.verify(&attempt.password, hash).await?;
        let user = user.filter(|_| verdict != Verdict::Wrong);
        let refusal = user.as_ref().map(|user| user.can_log_in(self.tokens.settings.require_verified_email));
        let right = user.is_some() && refusal != Some(Err(LoginRefusal::Deleted));
        self.attempts.settle(account, attempt.client, right).map_err(Failure::TooManyAttempts)?;
        let (Some(user), Some(refusal)) = (user, refusal) else { return Err(Failure::InvalidCredentials) };
        refusal.map_err(|refusal| match refusal {
            LoginRefusal::EmailNotVerified => Failure::EmailNotVerified,
            LoginRefusal::Suspended => Failure::AccountSuspended,
            LoginRefusal::Deleted => Failure::InvalidCredentials,
        })?;
        let mut user = user;
        if verdict == Verdict::RightButOld {
            self.renew_hash(&mut user, &attempt.password).await;
        }
        let device = Device { user_agent: attempt.user_agent, address: Some(attempt.client.to_string()) };
        self.begin_session(&user, device).await
    }

    /// A hash of an old kind or cost is written anew, now that the password is at hand. The login does not depend on it.
    async fn renew_hash(&self, user: &mut User, password: &PlainPassword) {
        let renewed = match self.passwords.hash(password).await {
            Ok(new) => self.users.renew_hash(user.id, &user.password_hash, &new).await.map(|()| new),
            Err(error) => Err(error),
        };
        match renewed {
            Ok(new) => {
                user.password_hash = new;
                tracing::info!(event = "password_hash_renewed", user_id = %user.id);
            }
            Err(error) => tracing::warn!(event = "password_hash_renewal_failed", user_id = %user.id, %error),
        }
    }

    async fn begin_session(&self, user: &User, device: Device) -> Result<IssuedTokens, Failure> {
        let now = self.clock.now();
        let id = SessionId::new(&*self.clock, &*self.random);
        let issued = self.tokens.pair(user, id, 0, now)?;
        let session = Session {
            id,
            user_id: user.id,
            client_id: FIRST_PARTY.to_owned(),
            device,
            created_at: now,
            expires_at: issued.refresh_expires_at,
            generation: 0,
            rotated_at: None,
            sealed_successor: None,
            access_expires_at: issued.access_expires_at,
            revoked_at: None,
        };
        if !self.sessions.insert(&session, &user.password_hash).await? {
            // The password was changed, or the account stopped, since it was looked at.
            return Err(Failure::InvalidCredentials);
        }
        tracing::info!(event = "user_logged_in", user_id = %user.id, session_id = %id);
        Ok(issued)
    }
}
