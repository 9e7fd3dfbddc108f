//! A user changes the password, or sets a new one by a mailed link.

use std::{sync::Arc, time::Duration};

use super::{
    AttemptLimiter, Audit, EmailProof, Failure, Mail, MailedToken, Mailer, Notice, PasswordChange, PasswordHasher,
    PasswordPolicy, RevocationSink, Settings, TokenSigner, UserRepository, Verdict, verify_email::mailed_code_hash,
};
use crate::{
    kernel::{Clock, Principal, Random, UserId},
    modules::auth::domain::{
        Actor, Email, EmailPurpose, Origin, Outcome, PasswordOwner, PlainPassword, RESEND_INTERVAL, User, UserStatus,
    },
};

/// Whoever asks for a mail is answered after at least this long, so that the work for an address that has an account does
/// not show in the time.
pub(crate) const STEADY: Duration = Duration::from_millis(100);

/// The use cases.
#[derive(Clone)]
pub(crate) struct ManagePasswords {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) passwords: Arc<dyn PasswordHasher>,
    pub(crate) policy: PasswordPolicy,
    pub(crate) attempts: Arc<dyn AttemptLimiter>,
    pub(crate) tokens: Arc<dyn TokenSigner>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl ManagePasswords {
    /// Changes the caller's password and ends the caller's other sessions. Wrong attempts are counted apart from logins, so
    /// that neither locks the other.
    pub(crate) async fn change(
        &self,
        caller: &Principal,
        origin: &Origin,
        current: &PlainPassword,
        new: &PlainPassword,
    ) -> Result<(), Failure> {
        let caller_id = caller.user().ok_or(Failure::NotFound)?;
        let client = origin.client();
        let account = format!("password change of {caller_id}");
        self.attempts.check(&account, client).await?;
        let user = self.users.find(caller_id).await?.ok_or(Failure::NotFound)?;
        let verdict = self.passwords.verify(current, Some(&user.password_hash)).await?;
        let is_right = verdict != Verdict::Wrong;
        self.attempts.settle(&account, client, is_right).await?;
        if !is_right {
            let line = self.audit.entry(Actor::of(caller), origin, "password.changed", Outcome::Failure);
            line.target("user", user.id).detail("reason", "invalid-credentials").write().await;
            return Err(Failure::InvalidCredentials);
        }
        let owner = PasswordOwner { email: &user.email, display_name: user.display_name.as_ref() };
        self.policy.check("/new_password", new, owner).await?;
        let new = self.passwords.hash(new).await?;
        let now = self.clock.now();
        let change = PasswordChange {
            user: user.id,
            old: user.password_hash,
            new,
            keep: caller.session_id,
            at: now,
            tokens_until: now + self.settings.access_ttl,
        };
        // Changed meanwhile: what was compared is the password no longer.
        let ended = self.users.change_password(&change).await?.ok_or(Failure::InvalidCredentials)?;
        self.revocations.revoked(&ended);
        tracing::info!(event = "password_changed", user_id = %change.user, sessions_ended = ended.len());
        let line = self.audit.entry(Actor::of(caller), origin, "password.changed", Outcome::Success);
        line.target("user", change.user).detail("sessions_ended", ended.len()).write().await;
        self.mailer.post(Mail::Changed { to: user.email, notice: Notice::PasswordChanged }).await;
        Ok(())
    }

    /// Mails a link to the address, if somebody has it; at most one an interval. The caller learns nothing.
    pub(crate) async fn forgot(&self, email: &Email, origin: &Origin) -> Result<(), Failure> {
        let (outcome, ()) = tokio::join!(self.mail_link(email, origin), tokio::time::sleep(STEADY));
        outcome
    }

    /// For an address without a user who may have one the same is done, to no effect.
    async fn mail_link(&self, email: &Email, origin: &Origin) -> Result<(), Failure> {
        let has_password = |user: &User| matches!(user.status, UserStatus::Active | UserStatus::Pending);
        let user = self.users.find_by_email(email).await?.filter(has_password);
        let id = user.as_ref().map_or_else(|| UserId::new(&*self.clock, &*self.random), |user| user.id);
        let purpose = EmailPurpose::PasswordReset;
        let token = MailedToken::new((id, email), purpose, &*self.tokens, &*self.clock, &*self.random);
        let mail = self.mailer.write(&token.reset_mail(email, &self.settings.issuer));
        let refusal = if user.is_none() {
            self.users.rehearse_email_token(&token.kept, &mail, RESEND_INTERVAL).await?;
            Some("no-account")
        } else if self.users.keep_email_token(&token.kept, Some(&mail), RESEND_INTERVAL).await? {
            None
        } else {
            Some("mailed-recently")
        };
        // One line whatever became of it: an address with an account must not answer later.
        let outcome = if refusal.is_none() { Outcome::Success } else { Outcome::Failure };
        let mut line = self.audit.entry(Actor::Anonymous, origin, "password.reset_requested", outcome);
        if let Some(user) = user {
            line = line.target("user", user.id);
        }
        if let Some(reason) = refusal {
            line = line.detail("reason", reason);
        }
        line.write().await;
        Ok(())
    }

    /// Whether a link would work now; to look spends nothing.
    pub(crate) async fn is_live(&self, token: &str) -> Result<bool, Failure> {
        let hash = self.tokens.digest(token);
        Ok(self.users.has_email_token(EmailPurpose::PasswordReset, &hash, self.clock.now()).await?)
    }

    /// Sets a new password by a mailed token, and ends every session. Only success spends the token.
    pub(crate) async fn reset(&self, token: &str, new: &PlainPassword, origin: &Origin) -> Result<(), Failure> {
        self.set(&EmailProof::Link(self.tokens.digest(token)), new, origin).await
    }

    /// The same by the code in that mail, typed by the user of an address. It is short enough to be guessed: whoever guesses
    /// too often waits, whether or not there is such a user.
    pub(crate) async fn reset_by_code(
        &self,
        (email, code): (&Email, &str),
        new: &PlainPassword,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let client = origin.client();
        let account = format!("password reset of {email}");
        self.attempts.check(&account, client).await?;
        let outcome = match self.users.find_by_email(email).await? {
            Some(user) => {
                let hash = mailed_code_hash(&*self.tokens, &user.email, code);
                self.set(&EmailProof::Code(user.id, hash), new, origin).await
            }
            None => Err(Failure::InvalidEmailToken),
        };
        // A code that is right counts for nothing until it is spent: an unacceptable password is no guess.
        if outcome.is_ok() || outcome == Err(Failure::InvalidEmailToken) {
            self.attempts.settle(&account, client, outcome.is_ok()).await?;
        }
        outcome
    }

    async fn set(&self, proof: &EmailProof, new: &PlainPassword, origin: &Origin) -> Result<(), Failure> {
        // No hash is computed for a token that is not one.
        let purpose = EmailPurpose::PasswordReset;
        let owner = self.users.owner_of_email_token(purpose, proof, self.clock.now()).await?;
        let owner = self.users.find(owner.ok_or(Failure::InvalidEmailToken)?).await?;
        let owner = owner.ok_or(Failure::InvalidEmailToken)?;
        let about = PasswordOwner { email: &owner.email, display_name: owner.display_name.as_ref() };
        self.policy.check("/new_password", new, about).await?;
        let new = self.passwords.hash(new).await?;
        let now = self.clock.now();
        let reset = self.users.reset_password(proof, &new, now, now + self.settings.access_ttl).await?;
        let (user, ended) = reset.ok_or(Failure::InvalidEmailToken)?;
        self.revocations.revoked(&ended);
        tracing::info!(event = "password_reset", user_id = %user, sessions_ended = ended.len());
        let line = self.audit.entry(Actor::User(user), origin, "password.reset", Outcome::Success);
        line.target("user", user).detail("sessions_ended", ended.len()).write().await;
        self.mailer.post(Mail::Changed { to: owner.email, notice: Notice::PasswordReset }).await;
        Ok(())
    }
}
