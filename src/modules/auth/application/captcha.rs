//! Where programs must not come in numbers, a riddle is asked for: at registration and for forgotten passwords always, at
//! login after some failures.

use std::{net::IpAddr, sync::Arc};

use super::{AttemptLimiter, CaptchaVerifier, Failure, Held};
use crate::modules::auth::{
    config::{CaptchaConfig, CaptchaPlace, CaptchaProvider},
    domain::Email,
};

/// The longest token of any provider, with room.
const LONGEST_TOKEN: usize = 8 * 1024;

/// The guard; absent: every way is open.
#[derive(Clone, Default)]
pub(crate) struct Captcha(Option<Arc<Guard>>);

struct Guard {
    verifier: Arc<dyn CaptchaVerifier>,
    /// Failed logins: who would have to wait by this one solves a riddle instead.
    failures: Arc<dyn AttemptLimiter>,
    config: CaptchaConfig,
}

impl Captcha {
    /// A guard as configured.
    pub(crate) fn new(
        config: &CaptchaConfig,
        verifier: Arc<dyn CaptchaVerifier>,
        failures: Arc<dyn AttemptLimiter>,
    ) -> Self {
        Self(Some(Arc::new(Guard { verifier, failures, config: config.clone() })))
    }

    /// Passes a call, or asks for a riddle's solution: `CaptchaRequired`. Addresses with and without an account are
    /// treated alike.
    pub(crate) async fn demand(
        &self,
        place: CaptchaPlace,
        (email, client): (&Email, IpAddr),
        token: Option<&str>,
    ) -> Result<(), Failure> {
        let Some(guard) = self.0.as_ref().filter(|guard| guard.config.on.contains(&place)) else { return Ok(()) };
        if place == CaptchaPlace::Login && !guard.has_failed_often(email, client).await? {
            return Ok(());
        }
        let Some(token) = token.filter(|token| (1..=LONGEST_TOKEN).contains(&token.len())) else {
            return Err(guard.required());
        };
        match guard.verifier.is_solved(token, client).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(guard.required()),
            Err(error) if guard.config.fail_open => {
                tracing::warn!(event = "captcha_not_verified", %error);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whose riddles are asked for, if any are, and the public key for them.
    pub(crate) fn provider(&self) -> Option<(CaptchaProvider, &str)> {
        self.0.as_ref().map(|guard| (guard.config.provider, guard.config.site_key.as_str()))
    }

    /// Whether every call at a place has to bring a solution.
    pub(crate) fn is_always_on(&self, place: CaptchaPlace) -> bool {
        let guard = self.0.as_ref().filter(|guard| guard.config.on.contains(&place));
        guard.is_some_and(|guard| place != CaptchaPlace::Login || !guard.counts_logins())
    }

    /// Whether the next login of this address would have to, so that a page can show the riddle at once.
    pub(crate) async fn is_due_at_login(&self, (email, client): (&Email, IpAddr)) -> bool {
        let Some(guard) = self.0.as_ref().filter(|guard| guard.config.on.contains(&CaptchaPlace::Login)) else {
            return false;
        };
        guard.has_failed_often(email, client).await == Ok(true)
    }

    /// Notes how a login ended.
    pub(crate) async fn note_login<T>(&self, (email, client): (&Email, IpAddr), outcome: &Result<T, Failure>) {
        let Some(guard) = self.0.as_ref().filter(|guard| guard.counts_logins()) else { return };
        let is_guess = matches!(outcome, Err(Failure::InvalidCredentials | Failure::TooManyAttempts(_)));
        if !is_guess && outcome.is_err() {
            return;
        }
        if let Err(Held::Unknown(error)) = guard.failures.settle(email.as_str(), client, outcome.is_ok()).await {
            tracing::warn!(event = "captcha_failures_not_counted", %error);
        }
    }
}

impl Guard {
    fn counts_logins(&self) -> bool {
        self.config.on.contains(&CaptchaPlace::Login) && self.config.after_failures > 0
    }

    async fn has_failed_often(&self, email: &Email, client: IpAddr) -> Result<bool, Failure> {
        if !self.counts_logins() {
            return Ok(true);
        }
        match self.failures.check(email.as_str(), client).await {
            Ok(()) => Ok(false),
            Err(Held::For(_)) => Ok(true),
            Err(Held::Unknown(error)) => Err(error.into()),
        }
    }

    fn required(&self) -> Failure {
        let provider = self.config.provider.as_str();
        Failure::CaptchaRequired { provider, site_key: self.config.site_key.clone() }
    }
}

#[cfg(test)]
mod tests;
