//! A user shows who it is by address and password. Whoever does not know the password learns nothing, not even by the time
//! it takes; who guesses too often waits.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use super::{AttemptLimiter, Failure, PasswordHasher, SecondFactor, Settings, UserRepository, Verdict};
use crate::{
    kernel::UserId,
    modules::auth::domain::{Email, LoginRefusal, Origin, PlainPassword, User},
};

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

impl LoginAttempt {
    /// A user who is known shows again who it is.
    pub(crate) fn again(user: &User, password: PlainPassword, code: Option<String>, origin: &Origin) -> Self {
        let client = origin.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Self { email: user.email.clone(), password, code, client, user_agent: origin.user_agent.clone() }
    }

    fn origin(&self) -> Origin {
        Origin { address: Some(self.client), user_agent: self.user_agent.clone(), request_id: None }
    }
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
    pub(crate) second_factor: SecondFactor,
    pub(crate) settings: Arc<Settings>,
}

impl Authenticate {
    /// The user of the address, who may log in.
    pub(crate) async fn run(&self, attempt: &LoginAttempt) -> Result<Authenticated, Failure> {
        let account = attempt.email.as_str();
        self.attempts.check(account, attempt.client).await?;
        let user = self.users.find_by_email(&attempt.email).await?;
        let hash = user.as_ref().map(|user| &user.password_hash).filter(|hash| hash.is_usable());
        let verdict = self.passwords.verify(&attempt.password, hash).await?;
        let user = user.filter(|_| verdict != Verdict::Wrong);
        let refusal = user.as_ref().map(|user| user.can_log_in(self.settings.require_verified_email));
        let right = user.is_some() && refusal != Some(Err(LoginRefusal::Deleted));
        self.attempts.settle(account, attempt.client, right).await?;
        let (Some(mut user), Some(refusal)) = (user, refusal) else { return Err(Failure::InvalidCredentials) };
        refusal.map_err(failure_of)?;
        if verdict == Verdict::RightButOld {
            self.renew_hash(&mut user, &attempt.password).await;
        }
        if !user.mfa_enabled {
            return Ok(Authenticated { user, methods: "pwd".to_owned() });
        }
        // Who sends none has not guessed.
        let code = attempt.code.as_deref().filter(|code| !code.trim().is_empty()).ok_or(Failure::MfaRequired)?;
        self.with_code(user, code, &attempt.origin()).await
    }

    /// Ends a login that was answered with `MfaRequired`. That the password was right, and is still the same, is the
    /// caller's to know.
    pub(crate) async fn finish(&self, user: UserId, code: &str, origin: &Origin) -> Result<Authenticated, Failure> {
        let user = self.users.find(user).await?.ok_or(Failure::InvalidCredentials)?;
        user.can_log_in(self.settings.require_verified_email).map_err(failure_of)?;
        if !user.mfa_enabled {
            return Err(Failure::InvalidCredentials);
        }
        self.with_code(user, code, origin).await
    }

    async fn with_code(&self, user: User, code: &str, origin: &Origin) -> Result<Authenticated, Failure> {
        self.second_factor.prove(&user, code, origin).await?;
        Ok(Authenticated { user, methods: "pwd otp".to_owned() })
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

fn failure_of(refusal: LoginRefusal) -> Failure {
    match refusal {
        LoginRefusal::EmailNotVerified => Failure::EmailNotVerified,
        LoginRefusal::Suspended => Failure::AccountSuspended,
        LoginRefusal::Deleted => Failure::InvalidCredentials,
    }
}
