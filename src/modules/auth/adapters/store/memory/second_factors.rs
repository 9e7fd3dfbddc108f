//! Second factors in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{MemoryStore, State};
use crate::{
    kernel::UserId,
    modules::auth::application::{Confirmation, KeptTotp, PortError, SecondFactorRepository},
};

#[derive(Default)]
pub(super) struct Factors {
    totp: Vec<Totp>,
    codes: Vec<(UserId, String)>,
}

struct Totp {
    user: UserId,
    sealed: Vec<u8>,
    is_on: bool,
    last_step: Option<i64>,
}

impl State {
    fn totp_of(&mut self, user: UserId) -> Option<&mut Totp> {
        self.factors.totp.iter_mut().find(|totp| totp.user == user)
    }

    fn codes_left(&self, user: UserId) -> u64 {
        self.factors.codes.iter().filter(|(owner, _)| *owner == user).count() as u64
    }

    fn replace_codes(&mut self, user: UserId, hashes: &[String]) {
        self.factors.codes.retain(|(owner, _)| *owner != user);
        self.factors.codes.extend(hashes.iter().map(|hash| (user, hash.clone())));
    }

    /// With the passkeys.
    pub(super) fn remove_factors(&mut self, user: UserId) {
        self.factors.totp.retain(|totp| totp.user != user);
        self.replace_codes(user, &[]);
        self.passkeys.retain(|kept| kept.user_id != user);
    }

    fn note_at_user(&mut self, id: UserId, is_enabled: bool, now: DateTime<Utc>) {
        for user in self.users.iter_mut().filter(|user| user.id == id) {
            (user.mfa_enabled, user.updated_at) = (is_enabled, now);
        }
    }
}

#[async_trait]
impl SecondFactorRepository for MemoryStore {
    async fn offer_totp(&self, user: UserId, sealed: &[u8], _: DateTime<Utc>) -> Result<bool, PortError> {
        let mut state = self.state();
        if state.totp_of(user).is_some_and(|totp| totp.is_on) {
            return Ok(false);
        }
        state.factors.totp.retain(|totp| totp.user != user);
        state.factors.totp.push(Totp { user, sealed: sealed.to_vec(), is_on: false, last_step: None });
        Ok(true)
    }

    async fn totp(&self, user: UserId) -> Result<Option<KeptTotp>, PortError> {
        Ok(self.state().totp_of(user).map(|totp| KeptTotp { sealed: totp.sealed.clone(), is_on: totp.is_on }))
    }

    async fn confirm_totp(&self, confirmation: &Confirmation) -> Result<bool, PortError> {
        let mut state = self.state();
        let waiting = state.totp_of(confirmation.user).filter(|totp| !totp.is_on && totp.sealed == confirmation.sealed);
        let Some(totp) = waiting else { return Ok(false) };
        (totp.is_on, totp.last_step) = (true, Some(confirmation.step));
        state.replace_codes(confirmation.user, &confirmation.recovery_codes);
        state.note_at_user(confirmation.user, true, confirmation.at);
        Ok(true)
    }

    async fn spend_step(&self, user: UserId, step: i64) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_new = |totp: &&mut Totp| totp.is_on && totp.last_step.is_none_or(|last| last < step);
        let Some(totp) = state.totp_of(user).filter(is_new) else { return Ok(false) };
        totp.last_step = Some(step);
        Ok(true)
    }

    async fn spend_recovery_code(&self, user: UserId, hash: &str) -> Result<Option<u64>, PortError> {
        let mut state = self.state();
        let before = state.codes_left(user);
        state.factors.codes.retain(|(owner, kept)| *owner != user || kept != hash);
        let left = state.codes_left(user);
        Ok((left < before).then_some(left))
    }

    async fn recovery_codes_left(&self, user: UserId) -> Result<u64, PortError> {
        Ok(self.state().codes_left(user))
    }

    async fn replace_recovery_codes(&self, user: UserId, hashes: &[String]) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_on = state.totp_of(user).is_some_and(|totp| totp.is_on);
        if is_on {
            state.replace_codes(user, hashes);
        }
        Ok(is_on)
    }

    async fn remove_totp(&self, user: UserId, now: DateTime<Utc>) -> Result<bool, PortError> {
        let mut state = self.state();
        if state.totp_of(user).is_none_or(|totp| !totp.is_on) {
            return Ok(false);
        }
        state.factors.totp.retain(|totp| totp.user != user);
        state.replace_codes(user, &[]);
        state.note_at_user(user, false, now);
        Ok(true)
    }
}
