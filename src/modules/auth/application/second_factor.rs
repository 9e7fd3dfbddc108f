//! Whether a code is the second factor's, now and for the first time. Wrong ones are counted apart from wrong passwords:
//! who knows a password has no more guesses at the code than anybody, and a right password clears none of them.

use std::sync::Arc;

use super::{
    AttemptLimiter, Audit, FactorNotice, Failure, Held, Mail, Mailer, OneTimePasswords, SecondFactorRepository,
    TokenSigner,
};
use crate::{
    kernel::{Clock, UserId},
    modules::auth::domain::{Actor, FactorCode, Origin, Outcome, RecoveryCode, User},
};

/// The use case.
#[derive(Clone)]
pub(crate) struct SecondFactor {
    pub(crate) store: Arc<dyn SecondFactorRepository>,
    pub(crate) codes: Arc<dyn OneTimePasswords>,
    /// Wrong codes, and nothing else.
    pub(crate) attempts: Arc<dyn AttemptLimiter>,
    pub(crate) digests: Arc<dyn TokenSigner>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SecondFactor {
    /// Spends a code of a user whose second factor is on: what the authenticator shows, or a recovery code.
    pub(crate) async fn prove(&self, user: &User, code: &str, origin: &Origin) -> Result<(), Failure> {
        let account = user.id.to_string();
        let client = origin.client();
        self.attempts.check(&account, client).await?;
        let is_right = self.spend(user, &FactorCode::parse(code), origin).await?;
        let settled = self.attempts.settle(&account, client, is_right).await;
        if is_right {
            return Ok(settled?);
        }
        self.tell(user, "mfa.failed", Outcome::Failure, origin).await;
        if matches!(settled, Err(Held::For(_))) {
            self.tell(user, "account.locked", Outcome::Failure, origin).await;
            self.mailer.post(Mail::SecondFactor { to: user.email.clone(), notice: FactorNotice::Guessed }).await;
        }
        settled?;
        Err(Failure::InvalidCode)
    }

    async fn spend(&self, user: &User, code: &FactorCode, origin: &Origin) -> Result<bool, Failure> {
        match code {
            FactorCode::OneTime(digits) => {
                let Some(totp) = self.store.totp(user.id).await?.filter(|totp| totp.is_on) else { return Ok(false) };
                let step = self.codes.step_of(user.id, &totp.sealed, digits, self.clock.now())?;
                let Some(step) = step else { return Ok(false) };
                Ok(self.store.spend_step(user.id, step).await?)
            }
            FactorCode::Recovery(code) => {
                let hash = recovery_hash(&*self.digests, user.id, code);
                let Some(left) = self.store.spend_recovery_code(user.id, &hash).await? else { return Ok(false) };
                tracing::info!(event = "recovery_code_used", user_id = %user.id, left);
                let notice = FactorNotice::RecoveryCodeUsed(left);
                self.mailer.post(Mail::SecondFactor { to: user.email.clone(), notice }).await;
                let line = self.audit.entry(Actor::User(user.id), origin, "recovery_code.used", Outcome::Success);
                line.target("user", user.id).detail("left", left).write().await;
                Ok(true)
            }
            FactorCode::Malformed => Ok(false),
        }
    }

    async fn tell(&self, user: &User, action: &str, outcome: Outcome, origin: &Origin) {
        tracing::info!(event = "second_factor_refused", user_id = %user.id, action);
        let line = self.audit.entry(Actor::Anonymous, origin, action, outcome);
        line.target("user", user.id).detail("factor", "code").write().await;
    }
}

/// What is kept of a recovery code: one hash is enough for 80 random bits, and the user in it keeps equal codes apart.
pub(super) fn recovery_hash(digests: &dyn TokenSigner, user: UserId, code: &RecoveryCode) -> String {
    digests.digest(&format!("recovery code of {user}: {}", code.letters()))
}
