//! A user shows who it is by address and password. Whoever does not know the password learns nothing, not even by the time
//! it takes; who guesses too often waits.

use std::{net::IpAddr, sync::Arc};

use super::{AttemptLimiter, Failure, PasswordHasher, Settings, UserRepository, Verdict};
use crate::modules::auth::domain::{Email, LoginRefusal, PlainPassword, User};

/// What a login says.
#[derive(Debug, Clone)]
pub(crate) struct LoginAttempt {
    pub(crate) email: Email,
    pub(crate) password: PlainPassword,
    /// The second factor's code, when one was typed.
    pub(crate) code: Option<String>,
    /// Where it comes from.
    pub(crate) client: IpAddr,
    /// What the client calls itself.
    pub(crate) user_agent: Option<String>,
}

/// A user who has shown who it is.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated {
    pub(crate) user: User,
    /// How, as RFC 8176 names it, separated by spaces.
    pub(crate) methods: String,
}

/// The use case, for everything that begins with a login: tokens, and the pages' own sessions.
#[derive(Clone)]
pub(crate) struct Authenticate {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) passwords: Arc<dyn PasswordHasher>,
    pub(crate) attempts: Arc<dyn AttemptLimiter>,
    pub(crate) settings: Arc<Settings>,
}

impl Authenticate {
    /// The user of the address, who may log in.
    pub(crate) async fn run(&self, attempt: &LoginAttempt) -> Result<Authenticated, Failure> {
        let account = attempt.email.as_str();
        self.attempts.check(account, attempt.client).map_err(Failure::TooManyAttempts)?;
        let user = self.users.find_by_email(&attempt.email).await?;
        let hash = user.as_ref().map(|user| &user.password_hash).filter(|hash| hash.is_usable());
        let verdict = self.passwords.verify(&attempt.password, hash).await?;
        let user = user.filter(|_| verdict != Verdict::Wrong);
        let refusal = user.as_ref().map(|user| user.can_log_in(self.settings.require_verified_email));
        let right = user.is_some() && refusal != Some(Err(LoginRefusal::Deleted));
        self.attempts.settle(account, attempt.client, right).map_err(Failure::TooManyAttempts)?;
        let (Some(mut user), Some(refusal)) = (user, refusal) else { return Err(Failure::InvalidCredentials) };
        refusal.map_err(|refusal| match refusal {
            LoginRefusal::EmailNotVerified => Failure::EmailNotVerified,
            LoginRefusal::Suspended => Failure::AccountSuspended,
            LoginRefusal::Deleted => Failure::InvalidCredentials,
        })?;
        if verdict == Verdict::RightButOld {
            self.renew_hash(&mut user, &attempt.password).await;
        }
        Ok(Authenticated { user, methods: "pwd".to_owned() })
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
}
