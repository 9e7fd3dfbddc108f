//! What users allow clients, in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::{
    kernel::{Page, PageRequest, SessionId, UserId},
    modules::auth::{
        application::{
            AuthorizationCodeRepository, BrowserSessionRepository, ConsentRepository, DeviceGrantRepository,
            InteractionRepository, PortError, RevokedSession, SessionRepository,
        },
        domain::{
            Approval, AuthorizationCode, Consent, DeviceGrant, DeviceState, Interaction, InteractionKind, PasswordHash,
            Session, UserCode,
        },
    },
};

#[derive(Default)]
pub(super) struct Authorizations {
    browsers: Vec<(String, SessionId)>,
    interactions: Vec<Interaction>,
    /// Each with whether it came again.
    codes: Vec<(AuthorizationCode, bool)>,
    consents: Vec<Consent>,
    devices: Vec<DeviceGrant>,
}

#[async_trait]
impl BrowserSessionRepository for MemoryStore {
    async fn keep(&self, secret_hash: &str, session: &Session, password: &PasswordHash) -> Result<bool, PortError> {
        let is_kept = self.insert(session, Some(password)).await?;
        if is_kept {
            self.state().authorizations.browsers.push((secret_hash.to_owned(), session.id));
        }
        Ok(is_kept)
    }

    async fn find(&self, secret_hash: &str) -> Result<Option<Session>, PortError> {
        let state = self.state();
        let kept = state.authorizations.browsers.iter().find(|(hash, _)| hash == secret_hash);
        Ok(kept.and_then(|(_, id)| state.sessions.iter().find(|session| session.id == *id).cloned()))
    }

    async fn touch(&self, id: SessionId, expires_at: DateTime<Utc>) -> Result<(), PortError> {
        let mut state = self.state();
        let is_meant = |session: &&mut Session| session.id == id && session.revoked_at.is_none();
        if let Some(session) = state.sessions.iter_mut().find(is_meant) {
            session.expires_at = expires_at;
        }
        Ok(())
    }
}

#[async_trait]
impl InteractionRepository for MemoryStore {
    async fn keep(&self, interaction: &Interaction) -> Result<(), PortError> {
        self.state().authorizations.interactions.push(interaction.clone());
        Ok(())
    }

    async fn find(
        &self,
        kind: InteractionKind,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Interaction>, PortError> {
        let is_meant = |left: &&Interaction| left.kind == kind && left.hash == hash && left.expires_at > now;
        Ok(self.state().authorizations.interactions.iter().find(is_meant).cloned())
    }

    async fn take(
        &self,
        kind: InteractionKind,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Interaction>, PortError> {
        let mut state = self.state();
        let left = &mut state.authorizations.interactions;
        let is_meant = |left: &Interaction| left.kind == kind && left.hash == hash && left.expires_at > now;
        Ok(left.iter().position(is_meant).map(|at| left.remove(at)))
    }
}

#[async_trait]
impl AuthorizationCodeRepository for MemoryStore {
    async fn keep(&self, code: &AuthorizationCode) -> Result<(), PortError> {
        self.state().authorizations.codes.push((code.clone(), false));
        Ok(())
    }

    async fn find(&self, hash: &str) -> Result<Option<AuthorizationCode>, PortError> {
        Ok(self.state().authorizations.codes.iter().find(|(code, _)| code.hash == hash).map(|(code, _)| code.clone()))
    }

    async fn spend(&self, hash: &str, now: DateTime<Utc>) -> Result<bool, PortError> {
        let mut state = self.state();
        let mut codes = state.authorizations.codes.iter_mut().map(|(code, _)| code);
        let found = codes.find(|code| code.hash == hash && code.spent_at.is_none() && code.expires_at > now);
        Ok(found.map(|code| code.spent_at = Some(now)).is_some())
    }

    async fn gave(&self, hash: &str, session: SessionId) -> Result<bool, PortError> {
        let mut state = self.state();
        let found = state.authorizations.codes.iter_mut().find(|(code, _)| code.hash == hash);
        let Some((code, is_reused)) = found else { return Ok(true) };
        code.session = Some(session);
        Ok(*is_reused)
    }

    async fn reuse(&self, hash: &str, _: DateTime<Utc>) -> Result<Option<SessionId>, PortError> {
        let mut state = self.state();
        let mut codes = state.authorizations.codes.iter_mut();
        let found = codes.find(|(code, _)| code.hash == hash && code.spent_at.is_some());
        Ok(found.and_then(|(code, is_reused)| {
            *is_reused = true;
            code.session
        }))
    }

    async fn given(&self, browser: SessionId, client_id: &str) -> Result<Vec<SessionId>, PortError> {
        let state = self.state();
        let codes = state.authorizations.codes.iter().map(|(code, _)| code);
        let theirs = codes.filter(|code| code.approval.browser == browser && code.client_id == client_id);
        Ok(theirs.filter_map(|code| code.session).collect())
    }
}

#[async_trait]
impl ConsentRepository for MemoryStore {
    async fn find(&self, user: UserId, client_id: &str) -> Result<Option<Consent>, PortError> {
        let is_meant = |consent: &&Consent| consent.user == user && consent.client_id == client_id;
        Ok(self.state().authorizations.consents.iter().find(is_meant).cloned())
    }

    async fn grant(
        &self,
        user: UserId,
        client_id: &str,
        scopes: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), PortError> {
        let mut state = self.state();
        let consents = &mut state.authorizations.consents;
        let is_meant = |consent: &Consent| consent.user == user && consent.client_id == client_id;
        let at = consents.iter().position(is_meant).unwrap_or_else(|| {
            let client_id = client_id.to_owned();
            consents.push(Consent { user, client_id, scopes: [].into(), granted_at: now, updated_at: now });
            consents.len() - 1
        });
        consents[at].scopes.extend(scopes.iter().cloned());
        consents[at].updated_at = now;
        Ok(())
    }

    async fn list(&self, user: UserId, page: &PageRequest) -> Result<Page<Consent>, PortError> {
        let mut consents = self.state().authorizations.consents.clone();
        consents.retain(|consent| consent.user == user);
        consents.sort_by(|one, other| one.client_id.cmp(&other.client_id));
        let after = page.cursor.clone();
        let mut rest = consents.into_iter().filter(|one| after.as_ref().is_none_or(|after| one.client_id > *after));
        let items: Vec<Consent> = rest.by_ref().take(page.limit as usize).collect();
        let next_cursor = rest.next().and(items.last()).map(|consent| consent.client_id.clone());
        Ok(Page { items, next_cursor })
    }

    async fn revoke(
        &self,
        user: UserId,
        client_id: &str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<Vec<RevokedSession>>, PortError> {
        let mut state = self.state();
        let kept = &mut state.authorizations;
        let before = kept.consents.len();
        kept.consents.retain(|consent| consent.user != user || consent.client_id != client_id);
        if kept.consents.len() == before {
            return Ok(None);
        }
        kept.codes.retain(|(code, _)| code.approval.user != user || code.client_id != client_id);
        let is_theirs = |state: &DeviceState| matches!(state, DeviceState::Allowed(by) if by.user == user);
        kept.devices.retain(|grant| grant.client_id != client_id || !is_theirs(&grant.state));
        drop(state);
        Ok(Some(self.end(|session| session.user_id == user && session.client_id == client_id, now, tokens_until)))
    }
}

#[async_trait]
impl DeviceGrantRepository for MemoryStore {
    async fn keep(&self, grant: &DeviceGrant) -> Result<bool, PortError> {
        let mut state = self.state();
        let devices = &mut state.authorizations.devices;
        let is_free = devices.iter().all(|kept| kept.user_code != grant.user_code);
        if is_free {
            devices.push(grant.clone());
        }
        Ok(is_free)
    }

    async fn waiting(&self, code: &UserCode, now: DateTime<Utc>) -> Result<Option<DeviceGrant>, PortError> {
        let state = self.state();
        Ok(state.authorizations.devices.iter().find(|grant| is_waiting(grant, code, now)).cloned())
    }

    async fn answer(
        &self,
        code: &UserCode,
        approval: Option<&Approval>,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        let mut state = self.state();
        let found = state.authorizations.devices.iter_mut().find(|grant| is_waiting(grant, code, now));
        let answer = approval.map_or(DeviceState::Denied, |by| DeviceState::Allowed(by.clone()));
        Ok(found.map(|grant| grant.state = answer).is_some())
    }

    async fn find(&self, hash: &str) -> Result<Option<DeviceGrant>, PortError> {
        Ok(self.state().authorizations.devices.iter().find(|grant| grant.hash == hash).cloned())
    }

    async fn polled(&self, hash: &str, interval: u32, now: DateTime<Utc>) -> Result<(), PortError> {
        let mut state = self.state();
        if let Some(grant) = state.authorizations.devices.iter_mut().find(|grant| grant.hash == hash) {
            (grant.interval, grant.polled_at) = (interval, Some(now));
        }
        Ok(())
    }

    async fn spend(&self, hash: &str, now: DateTime<Utc>) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_meant = |grant: &&mut DeviceGrant| {
            grant.hash == hash && matches!(grant.state, DeviceState::Allowed(_)) && grant.expires_at > now
        };
        Ok(state
            .authorizations
            .devices
            .iter_mut()
            .find(is_meant)
            .map(|grant| grant.state = DeviceState::Spent)
            .is_some())
    }
}

fn is_waiting(grant: &DeviceGrant, code: &UserCode, now: DateTime<Utc>) -> bool {
    grant.user_code == *code && grant.state == DeviceState::Waiting && grant.expires_at > now
}
