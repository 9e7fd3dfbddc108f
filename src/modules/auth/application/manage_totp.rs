//! A user puts a second factor on the own account, and takes it off.

use std::sync::Arc;

use super::{
    Authenticate, Confirmation, Enrolment, FactorNotice, Failure, LoginAttempt, Mail, Mailer, OneTimePasswords,
    SecondFactorRepository, SessionRepository, TokenSigner, UserRepository, second_factor::recovery_hash,
};
use crate::{
    kernel::{Clock, FieldFault, Principal, Random, UserId},
    modules::auth::{
        application::Audit,
        domain::{Actor, FactorCode, Origin, Outcome, PlainPassword, RECOVERY_CODES, RecoveryCode, User},
    },
};

/// The use cases.
#[derive(Clone)]
pub(crate) struct ManageTotp {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) store: Arc<dyn SecondFactorRepository>,
    pub(crate) codes: Arc<dyn OneTimePasswords>,
    pub(crate) digests: Arc<dyn TokenSigner>,
    pub(crate) authenticate: Authenticate,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// What a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FactorStatus {
    /// Whether a login asks for a code.
    pub(crate) is_on: bool,
    /// How many recovery codes are not used yet.
    pub(crate) recovery_codes_left: u64,
}

impl ManageTotp {
    /// What the user has.
    pub(crate) async fn status(&self, user: UserId) -> Result<FactorStatus, Failure> {
        let is_on = self.user(user).await?.mfa_enabled;
        let recovery_codes_left = if is_on { self.store.recovery_codes_left(user).await? } else { 0 };
        Ok(FactorStatus { is_on, recovery_codes_left })
    }

    /// A new secret, which asks for nothing until its first code confirms it. It replaces an earlier one that waits.
    pub(crate) async fn begin(&self, user: UserId) -> Result<Enrolment, Failure> {
        let user = self.user(user).await?;
        if user.mfa_enabled {
            return Err(Failure::MfaEnabled);
        }
        let enrolment = self.codes.enrol(user.id, &user.email)?;
        if !self.store.offer_totp(user.id, &enrolment.sealed, self.clock.now()).await? {
            return Err(Failure::MfaEnabled);
        }
        Ok(enrolment)
    }

    /// Turns the waiting secret on by its first code, which is spent; gives the recovery codes.
    pub(crate) async fn confirm(
        &self,
        caller: &Principal,
        user: UserId,
        code: &str,
        origin: &Origin,
    ) -> Result<Vec<RecoveryCode>, Failure> {
        let waiting = self.store.totp(user).await?.ok_or(Failure::MfaNotBegun)?;
        if waiting.is_on {
            return Err(Failure::MfaEnabled);
        }
        let now = self.clock.now();
        let step = match FactorCode::parse(code) {
            FactorCode::OneTime(digits) => self.codes.step_of(user, &waiting.sealed, &digits, now)?,
            FactorCode::Recovery(_) | FactorCode::Malformed => None,
        };
        let wrong = || FieldFault::new("/code", "invalid-code", "this is not what the authenticator shows now");
        let step = step.ok_or_else(|| Failure::Invalid(vec![wrong()]))?;
        let (codes, recovery_codes) = self.new_codes(user);
        let confirmation = Confirmation { user, sealed: waiting.sealed, step, recovery_codes, at: now };
        if !self.store.confirm_totp(&confirmation).await? {
            // Another call was first: it confirmed, or began anew.
            return Err(Failure::MfaEnabled);
        }
        // Both factors were shown in this session.
        if let Some(session) = self.sessions.find(caller.session_id).await? {
            let methods = with_code(&session.methods);
            self.sessions.reauthenticate(session.id, &methods, session.authenticated_at).await?;
        }
        tracing::info!(event = "mfa_enabled", user_id = %user);
        self.tell(user, "mfa.enabled", origin).await;
        self.notify(user, FactorNotice::TurnedOn).await;
        Ok(codes)
    }

    /// Takes the second factor off; needs both, as at a login.
    pub(crate) async fn disable(
        &self,
        user: UserId,
        password: PlainPassword,
        code: String,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let user = self.user(user).await?;
        if !user.mfa_enabled {
            return Err(Failure::MfaNotEnabled);
        }
        let attempt = LoginAttempt::again(&user, password, Some(code), origin);
        self.authenticate.again(&attempt).await?;
        if !self.store.remove_totp(user.id, self.clock.now()).await? {
            return Err(Failure::MfaNotEnabled);
        }
        tracing::info!(event = "mfa_disabled", user_id = %user.id);
        self.tell(user.id, "mfa.disabled", origin).await;
        self.mailer.post(Mail::SecondFactor { to: user.email, notice: FactorNotice::TurnedOff }).await;
        Ok(())
    }

    /// New recovery codes in the place of all that there were.
    pub(crate) async fn renew_codes(&self, user: UserId, origin: &Origin) -> Result<Vec<RecoveryCode>, Failure> {
        let (codes, hashes) = self.new_codes(user);
        if !self.store.replace_recovery_codes(user, &hashes).await? {
            return Err(Failure::MfaNotEnabled);
        }
        self.tell(user, "recovery_codes.renewed", origin).await;
        Ok(codes)
    }

    fn new_codes(&self, user: UserId) -> (Vec<RecoveryCode>, Vec<String>) {
        let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| RecoveryCode::new(&*self.random)).collect();
        let hashes = codes.iter().map(|code| recovery_hash(&*self.digests, user, code)).collect();
        (codes, hashes)
    }

    async fn user(&self, id: UserId) -> Result<User, Failure> {
        self.users.find(id).await?.ok_or(Failure::NotFound)
    }

    /// The factor is on, whether or not its owner can be told.
    async fn notify(&self, user: UserId, notice: FactorNotice) {
        match self.user(user).await {
            Ok(user) => self.mailer.post(Mail::SecondFactor { to: user.email, notice }).await,
            Err(error) => tracing::warn!(event = "second_factor_notice_not_sent", user_id = %user, %error),
        }
    }

    async fn tell(&self, user: UserId, action: &str, origin: &Origin) {
        let line = self.audit.entry(Actor::User(user), origin, action, Outcome::Success);
        line.target("user", user).write().await;
    }
}

/// The methods of a session in which a code was shown too.
fn with_code(methods: &str) -> String {
    if methods.split(' ').any(|method| method == "otp") { methods.to_owned() } else { format!("{methods} otp") }
}
