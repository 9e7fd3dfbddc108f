//! The stores in memory: the fake that the suites hold to the same promises as the database.

mod api_keys;
mod attempts;
mod authorizations;
mod clients;
mod directory;
mod idempotency;
pub(crate) mod outbox;
mod passkeys;
mod roles;
mod second_factors;
mod user_import;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    kernel::{FIRST_PARTY, Page, PageRequest, SessionId, UserId},
    modules::auth::{
        application::{
            AuditFilter, AuditLog, EmailProof, PasswordChange, PortError, Registered, RegistrationMails,
            RevokedSession, Rotation, SessionRepository, UserRepository,
        },
        domain::{
            AuditEntry, Client, ClientGrant, Credentials, DisplayName, Email, EmailPurpose, EmailToken, OutboxEntry,
            PasswordHash, REGISTRATION_INTERVAL, REGISTRATION_MAILS, Role, RoleCatalog, RoleName, Session, User,
            UserStatus,
        },
    },
};

#[derive(Default)]
pub(crate) struct State {
    users: Vec<User>,
    tokens: Vec<EmailToken>,
    sessions: Vec<Session>,
    revoked_until: Vec<RevokedSession>,
    audit: Vec<AuditEntry>,
    api_keys: Vec<api_keys::Kept>,
    passkeys: Vec<crate::modules::auth::domain::Passkey>,
    factors: second_factors::Factors,
    attempts: std::collections::HashMap<String, crate::modules::auth::domain::Failures>,
    authorizations: authorizations::Authorizations,
    roles: BTreeMap<RoleName, Role>,
    answers: Vec<idempotency::Kept>,
    clients: Vec<Client>,
    client_grants: Vec<ClientGrant>,
    assertions: Vec<String>,
    outbox: Vec<outbox::Waiting>,
}

#[derive(Default)]
pub(crate) struct MemoryStore(Mutex<State>);

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, which: impl Fn(&Session) -> bool, now: DateTime<Utc>, until: DateTime<Utc>) -> Vec<RevokedSession> {
        let mut state = self.state();
        let mut ended = Vec::new();
        for session in state.sessions.iter_mut().filter(|session| session.revoked_at.is_none() && which(session)) {
            session.revoked_at = Some(now);
            ended.push((session.id, session.access_expires_at.max(until)));
        }
        state.revoked_until.extend(&ended);
        ended
    }
}

fn keep(state: &mut State, token: &EmailToken, interval: TimeDelta, most: u64) -> bool {
    let is_alike = |kept: &EmailToken| kept.user_id == token.user_id && kept.purpose == token.purpose;
    let is_recent = |kept: &&EmailToken| is_alike(kept) && kept.created_at > token.created_at - interval;
    if state.tokens.iter().filter(is_recent).count() as u64 >= most {
        return false;
    }
    state.tokens.push(token.clone());
    true
}

fn register(state: &mut State, user: &User, verification: &EmailToken, interval: TimeDelta) -> Registered {
    if let Some(owner) = state.users.iter_mut().find(|kept| kept.email == user.email) {
        let id = owner.id;
        let is_waiting = owner.status == UserStatus::Pending && owner.roles == [RoleName::user()];
        if verification.registration.is_some() && is_waiting {
            owner.password_hash = PasswordHash::none();
            let token = EmailToken { user_id: id, ..verification.clone() };
            let notify = keep(state, &token, REGISTRATION_INTERVAL, REGISTRATION_MAILS);
            if !notify {
                for token in state.tokens.iter_mut().filter(|token| token.user_id == id) {
                    token.registration = Some(Credentials { password_hash: PasswordHash::none(), display_name: None });
                }
            }
            return Registered::Waiting { notify };
        }
        let purpose = EmailPurpose::TakenNotice;
        let notice = EmailToken { user_id: id, purpose, registration: None, ..verification.clone() };
        let notify = keep(state, &notice, interval, 1);
        return Registered::Taken { owner: id, notify };
    }
    state.users.push(user.clone());
    state.tokens.push(verification.clone());
    Registered::Created
}

fn is_proof(token: &EmailToken, proof: &EmailProof) -> bool {
    match proof {
        EmailProof::Link(hash) => token.token_hash == *hash,
        EmailProof::Code(user, hash) => token.user_id == *user && token.code_hash == *hash,
    }
}

#[async_trait]
impl UserRepository for MemoryStore {
    async fn register(
        &self,
        user: &User,
        verification: &EmailToken,
        mails: Option<&RegistrationMails>,
        interval: TimeDelta,
    ) -> Result<Registered, PortError> {
        let mut state = self.state();
        if mails.is_some() {
            outbox::room(&state)?;
        }
        let registered = register(&mut state, user, verification, interval);
        let wanted = mails.and_then(|mails| match registered {
            Registered::Created | Registered::Waiting { notify: true } => Some(&mails.verification),
            Registered::Taken { notify: true, .. } => Some(&mails.taken),
            Registered::Waiting { notify: false } | Registered::Taken { notify: false, .. } => None,
        });
        if let Some(mail) = wanted {
            outbox::insert(&mut state, mail);
        }
        Ok(registered)
    }

    async fn create(&self, user: &User) -> Result<bool, PortError> {
        let mut state = self.state();
        let catalog = RoleCatalog::with_kept(state.roles.clone());
        if user.roles.iter().any(|role| !catalog.0.contains_key(role)) {
            return Err(PortError::Unavailable("a role of the user was deleted meanwhile".to_owned()));
        }
        let is_free = state.users.iter().all(|kept| kept.email != user.email);
        if is_free {
            state.users.push(user.clone());
        }
        Ok(is_free)
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PortError> {
        Ok(self.state().users.iter().find(|user| user.email == *email).cloned())
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        Ok(self.state().users.iter().find(|user| user.id == id).cloned())
    }

    async fn rename(
        &self,
        id: UserId,
        display_name: Option<&str>,
        now: DateTime<Utc>,
        unless_changed_since: Option<DateTime<Utc>>,
    ) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_meant = |user: &&mut User| {
            user.id == id
                && user.status != UserStatus::Deleted
                && unless_changed_since.is_none_or(|since| user.updated_at == since)
        };
        let Some(user) = state.users.iter_mut().find(is_meant) else { return Ok(false) };
        user.display_name = display_name.map(|name| DisplayName::parse(name).unwrap());
        user.updated_at = now;
        Ok(true)
    }

    async fn renew_hash(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<(), PortError> {
        let mut state = self.state();
        if let Some(user) = state.users.iter_mut().find(|user| user.id == id && user.password_hash == *old) {
            user.password_hash = new.clone();
        }
        Ok(())
    }

    async fn keep_email_token(
        &self,
        token: &EmailToken,
        mail: Option<&OutboxEntry>,
        interval: TimeDelta,
    ) -> Result<bool, PortError> {
        let mut state = self.state();
        if mail.is_some() {
            outbox::room(&state)?;
        }
        let kept = keep(&mut state, token, interval, 1);
        if let Some(mail) = mail.filter(|_| kept) {
            outbox::insert(&mut state, mail);
        }
        Ok(kept)
    }

    async fn rehearse_email_token(&self, _: &EmailToken, _: &OutboxEntry, _: TimeDelta) -> Result<(), PortError> {
        outbox::room(&self.state())
    }

    async fn verify_email(&self, proof: &EmailProof, now: DateTime<Utc>) -> Result<Option<UserId>, PortError> {
        let mut state = self.state();
        let is_verification =
            |token: &&EmailToken| token.purpose == EmailPurpose::Verification && token.expires_at > now;
        let Some(token) = state.tokens.iter().filter(is_verification).find(|token| is_proof(token, proof)).cloned()
        else {
            return Ok(None);
        };
        let id = token.user_id;
        state.tokens.retain(|token| token.user_id != id || token.purpose != EmailPurpose::Verification);
        if let Some(user) = state.users.iter_mut().find(|user| user.id == id) {
            user.email_verified = true;
            user.updated_at = now;
            if user.status == UserStatus::Pending {
                user.status = UserStatus::Active;
                if let Some(said) = token.registration {
                    user.password_hash = said.password_hash;
                    user.display_name = said.display_name;
                }
            }
        }
        Ok(Some(id))
    }

    async fn change_password(&self, change: &PasswordChange) -> Result<Option<Vec<RevokedSession>>, PortError> {
        let mut state = self.state();
        let is_meant = |user: &&mut User| user.id == change.user && user.password_hash == change.old;
        let Some(user) = state.users.iter_mut().find(is_meant) else { return Ok(None) };
        user.password_hash = change.new.clone();
        user.updated_at = change.at;
        let is_reset = |token: &EmailToken| token.purpose == EmailPurpose::PasswordReset;
        state.tokens.retain(|token| token.user_id != change.user || !is_reset(token));
        drop(state);
        let is_other = |session: &Session| session.user_id == change.user && session.id != change.keep;
        Ok(Some(self.end(is_other, change.at, change.tokens_until)))
    }

    async fn reset_password(
        &self,
        proof: &EmailProof,
        new: &PasswordHash,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<(UserId, Vec<RevokedSession>)>, PortError> {
        let mut state = self.state();
        let is_reset = |token: &&EmailToken| {
            token.purpose == EmailPurpose::PasswordReset && is_proof(token, proof) && token.expires_at > now
        };
        let Some(id) = state.tokens.iter().find(is_reset).map(|token| token.user_id) else { return Ok(None) };
        let Some(user) = state.users.iter_mut().find(|user| user.id == id && user.status != UserStatus::Deleted) else {
            return Ok(None);
        };
        user.password_hash = new.clone();
        (user.email_verified, user.updated_at) = (true, now);
        if user.status == UserStatus::Pending {
            user.status = UserStatus::Active;
        }
        state.tokens.retain(|token| token.user_id != id || token.purpose != EmailPurpose::PasswordReset);
        drop(state);
        Ok(Some((id, self.end(|session| session.user_id == id, now, tokens_until))))
    }

    async fn owner_of_email_token(
        &self,
        purpose: EmailPurpose,
        proof: &EmailProof,
        now: DateTime<Utc>,
    ) -> Result<Option<UserId>, PortError> {
        let state = self.state();
        let is_meant =
            |token: &&EmailToken| token.purpose == purpose && is_proof(token, proof) && token.expires_at > now;
        Ok(state.tokens.iter().find(is_meant).map(|token| token.user_id))
    }

    async fn has_email_token(
        &self,
        purpose: EmailPurpose,
        token_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        let state = self.state();
        Ok(state.tokens.iter().any(|t| t.purpose == purpose && t.token_hash == token_hash && t.expires_at > now))
    }
}

#[async_trait]
impl SessionRepository for MemoryStore {
    async fn insert(&self, session: &Session, password: Option<&PasswordHash>) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_unchanged = state.users.iter().any(|user| {
            user.id == session.user_id
                && password.is_none_or(|password| user.password_hash == *password)
                && matches!(user.status, UserStatus::Active | UserStatus::Pending)
        });
        let is_ours = session.client_id == FIRST_PARTY;
        let is_unchanged =
            is_unchanged && (is_ours || state.clients.iter().any(|client| client.id == session.client_id));
        if is_unchanged {
            state.sessions.push(session.clone());
        }
        Ok(is_unchanged)
    }

    async fn list_alive(
        &self,
        user: UserId,
        page: &PageRequest,
        now: DateTime<Utc>,
    ) -> Result<Page<Session>, PortError> {
        let mut sessions = self.state().sessions.clone();
        sessions.retain(|session| session.user_id == user && session.is_alive(now));
        sessions.sort_by_key(|session| session.id);
        let after = page.cursor.clone();
        let mut rest =
            sessions.into_iter().filter(|one| after.as_ref().is_none_or(|after| one.id.to_string() > *after));
        let items: Vec<Session> = rest.by_ref().take(page.limit as usize).collect();
        let next_cursor = rest.next().and(items.last()).map(|session| session.id.to_string());
        Ok(Page { items, next_cursor })
    }

    async fn find(&self, id: SessionId) -> Result<Option<Session>, PortError> {
        Ok(self.state().sessions.iter().find(|session| session.id == id).cloned())
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_meant = |session: &&mut Session| {
            session.id == rotation.session
                && session.generation == rotation.spent
                && session.revoked_at.is_none()
                && session.expires_at > rotation.at
        };
        let Some(session) = state.sessions.iter_mut().find(is_meant) else { return Ok(false) };
        session.generation += 1;
        session.rotated_at = Some(rotation.at);
        session.sealed_successor = Some(rotation.sealed_successor.clone());
        session.expires_at = rotation.expires_at;
        session.access_expires_at = rotation.access_expires_at;
        Ok(true)
    }

    async fn reauthenticate(&self, id: SessionId, methods: &str, now: DateTime<Utc>) -> Result<bool, PortError> {
        let mut state = self.state();
        let Some(session) = state.sessions.iter_mut().find(|session| session.id == id && session.is_alive(now)) else {
            return Ok(false);
        };
        (session.authenticated_at, session.methods) = (now, methods.to_owned());
        Ok(true)
    }

    async fn revoke(
        &self,
        id: SessionId,
        _: &'static str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<RevokedSession>, PortError> {
        Ok(self.end(|session| session.id == id, now, tokens_until).pop())
    }

    async fn revoke_all(
        &self,
        user: UserId,
        _: &'static str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, PortError> {
        Ok(self.end(|session| session.user_id == user, now, tokens_until))
    }

    async fn revoked(
        &self,
        since: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, PortError> {
        let state = self.state();
        let at = |id| state.sessions.iter().find(|session| session.id == id).and_then(|session| session.revoked_at);
        let mut revoked: Vec<_> = state.revoked_until.iter().filter(|(_, until)| *until > now).copied().collect();
        let grants = state.client_grants.iter().filter(|grant| grant.revoked_at.is_some() && grant.expires_at > now);
        revoked.extend(grants.map(|grant| (grant.id, grant.expires_at)));
        let grant = |id| state.client_grants.iter().find(|grant| grant.id == id)?.revoked_at;
        let at = |id| at(id).or_else(|| grant(id));
        revoked.retain(|(id, _)| since.is_none_or(|since| at(*id) >= Some(since)));
        revoked.sort_by_key(|(id, _)| at(*id));
        Ok(revoked)
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn append(&self, entry: &AuditEntry) -> Result<(), PortError> {
        self.state().audit.push(entry.clone());
        Ok(())
    }

    async fn read(&self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>, PortError> {
        let mut entries = self.state().audit.clone();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        entries.retain(|entry| matches(filter, entry));
        let before = page.cursor.clone();
        let mut rest =
            entries.into_iter().filter(|one| before.as_ref().is_none_or(|cursor| one.id.to_string() < *cursor));
        let items: Vec<AuditEntry> = rest.by_ref().take(page.limit as usize).collect();
        let next_cursor = rest.next().and(items.last()).map(|entry| entry.id.to_string());
        Ok(Page { items, next_cursor })
    }
}

fn matches(filter: &AuditFilter, entry: &AuditEntry) -> bool {
    let is_action = |wanted: &String| {
        if wanted.ends_with('.') { entry.action.starts_with(wanted) } else { entry.action == *wanted }
    };
    filter.actor.as_ref().is_none_or(|actor| entry.actor.id().as_ref() == Some(actor))
        && filter.action.as_ref().is_none_or(is_action)
        && filter.target.as_ref().is_none_or(|target| entry.target.as_ref().is_some_and(|(_, id)| id == target))
        && filter.since.is_none_or(|since| entry.at >= since)
        && filter.until.is_none_or(|until| entry.at < until)
}
