//! A user shows who it is by address and password. Whoever does not know the password learns nothing, not even by the time
//! it takes; who guesses too often waits.

use std::{net::IpAddr, sync::Arc};

use super::{AttemptLimiter, Audit, Failure, Held, PasswordHasher, SecondFactor, Settings, UserRepository, Verdict};
use crate::{
    kernel::UserId,
    modules::auth::domain::{Actor, Email, LoginRefusal, Origin, Outcome, PlainPassword, User},
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
    /// The request's id.
    pub(crate) request_id: Option<String>,
}

impl LoginAttempt {
    /// A user who is known shows again who it is.
    pub(crate) fn again(user: &User, password: PlainPassword, code: Option<String>, origin: &Origin) -> Self {
        let client = origin.client();
        Self {
            email: user.email.clone(),
            password,
            code,
            client,
            user_agent: origin.user_agent.clone(),
            request_id: origin.request_id.clone(),
        }
    }

    fn origin(&self) -> Origin {
        Origin { address: Some(self.client), user_agent: self.user_agent.clone(), request_id: self.request_id.clone() }
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
    pub(crate) audit: Audit,
    pub(crate) settings: Arc<Settings>,
}

impl Authenticate {
    /// The user of the address, who may log in.
    pub(crate) async fn run(&self, attempt: &LoginAttempt) -> Result<Authenticated, Failure> {
        let outcome = self.again(attempt).await;
        if let Ok(authenticated) = &outcome {
            self.note_success(authenticated, &attempt.origin()).await;
        }
        outcome
    }

    /// The same for a user who is logged in: not another login.
    pub(crate) async fn again(&self, attempt: &LoginAttempt) -> Result<Authenticated, Failure> {
        // What is refused in a cooldown is not noted: whoever floods does not get to fill the log.
        self.attempts.check(attempt.email.as_str(), attempt.client).await?;
        let mut known = None;
        let outcome = self.prove(attempt, &mut known).await;
        if let Err(failure) = &outcome {
            self.note_failure(known, failure, &attempt.origin()).await;
        }
        outcome
    }

    async fn note_success(&self, authenticated: &Authenticated, origin: &Origin) {
        let id = authenticated.user.id;
        let line = self.audit.entry(Actor::User(id), origin, "login.succeeded", Outcome::Success).target("user", id);
        line.detail("methods", authenticated.methods.as_str()).write().await;
    }

    /// Notes an attempt: of an address that nobody has, not even the address, since people type passwords there.
    async fn note_failure(&self, known: Option<UserId>, failure: &Failure, origin: &Origin) {
        let reason = match failure {
            Failure::InvalidCredentials => "invalid-credentials",
            Failure::EmailNotVerified => "email-not-verified",
            Failure::AccountSuspended => "account-suspended",
            // A lock is noted where it begins, a wrong code where it is compared; what is not ours to judge is no attempt.
            _ => return,
        };
        self.tell("login.failed", known, reason, origin).await;
    }

    async fn tell(&self, action: &str, known: Option<UserId>, reason: &str, origin: &Origin) {
        let mut line = self.audit.entry(Actor::Anonymous, origin, action, Outcome::Failure).detail("reason", reason);
        if let Some(user) = known {
            line = line.target("user", user);
        }
        line.write().await;
    }

    async fn prove(&self, attempt: &LoginAttempt, known: &mut Option<UserId>) -> Result<Authenticated, Failure> {
        let account = attempt.email.as_str();
        let user = self.users.find_by_email(&attempt.email).await?;
        *known = user.as_ref().map(|user| user.id);
        let hash = user.as_ref().map(|user| &user.password_hash).filter(|hash| hash.is_usable());
        let verdict = self.passwords.verify(&attempt.password, hash).await?;
        let user = user.filter(|_| verdict != Verdict::Wrong);
        let refusal = user.as_ref().map(|user| user.can_log_in(self.settings.require_verified_email));
        let right = user.is_some() && refusal != Some(Err(LoginRefusal::Deleted));
        if let Err(held) = self.attempts.settle(account, attempt.client, right).await {
            if matches!(held, Held::For(_)) {
                self.tell("account.locked", *known, "too-many-attempts", &attempt.origin()).await;
            }
            return Err(held.into());
        }
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
        let outcome = self.with_code(user, code, origin).await;
        if let Ok(authenticated) = &outcome {
            self.note_success(authenticated, origin).await;
        }
        outcome
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

pub(super) fn failure_of(refusal: LoginRefusal) -> Failure {
    match refusal {
        LoginRefusal::EmailNotVerified => Failure::EmailNotVerified,
        LoginRefusal::Suspended => Failure::AccountSuspended,
        LoginRefusal::Deleted => Failure::InvalidCredentials,
    }
}
