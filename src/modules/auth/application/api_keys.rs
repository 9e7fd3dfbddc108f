//! A user makes API keys, sees them and ends them.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{
    ApiKeyKept, ApiKeyRepository, Audit, Failure, Mail, Mailer, Notice, RECALLED, RevocationSink, RoleRepository,
    TokenSigner, UserRepository,
};
use crate::{
    kernel::{ApiKeyId, Clock, FieldFault, Page, PageRequest, Random, SessionId, UserId},
    modules::auth::domain::{Actor, ApiKey, DisplayName, Origin, Outcome, hint_of, key_text, scopes_for},
};

/// The use cases.
#[derive(Clone)]
pub(crate) struct ApiKeys {
    pub(crate) keys: Arc<dyn ApiKeyRepository>,
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) roles: Arc<dyn RoleRepository>,
    pub(crate) tokens: Arc<dyn TokenSigner>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    /// The most keys of one user.
    pub(crate) most: u32,
}

/// What a key is to be.
#[derive(Debug, Clone)]
pub(crate) struct NewApiKey {
    /// What its owner calls it.
    pub(crate) name: DisplayName,
    /// Permission names.
    pub(crate) scopes: Vec<String>,
    /// When it stops working, if ever.
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

impl ApiKeys {
    /// Makes a key; its text is told this once. Faults of the scopes and of the expiry are told at once.
    pub(crate) async fn create(
        &self,
        owner: UserId,
        new: NewApiKey,
        origin: &Origin,
    ) -> Result<(ApiKey, SecretString), Failure> {
        let user = self.users.find(owner).await?.ok_or(Failure::NotFound)?;
        let now = self.clock.now();
        let catalog = self.roles.catalog().await?;
        let scopes = scopes_for(&new.scopes, &catalog.permissions_of(&user.roles), &catalog);
        let scopes = faultless(scopes, new.expires_at, now)?;
        let mut random = [0; 32];
        self.random.fill(&mut random);
        let text = key_text(&random, |text| self.tokens.digest(text));
        let key = ApiKey {
            id: ApiKeyId::new(&*self.clock, &*self.random),
            user_id: owner,
            name: new.name,
            hint: hint_of(&text),
            scopes,
            created_at: now,
            expires_at: new.expires_at,
            last_used_at: None,
        };
        match self.keys.keep_api_key(&key, &self.tokens.digest(&text), self.most).await? {
            ApiKeyKept::Kept => {}
            ApiKeyKept::TooMany => return Err(Failure::TooManyApiKeys(self.most)),
            ApiKeyKept::NoOwner => return Err(Failure::NotFound),
        }
        tracing::info!(event = "api_key_created", user_id = %owner, api_key_id = %key.id);
        let entry = self.audit.entry(Actor::User(owner), origin, "api_key.created", Outcome::Success);
        let scopes: Vec<_> = key.scopes.iter().cloned().collect();
        entry.target("api_key", key.id).detail("name", key.name.as_str()).detail("scopes", scopes).write().await;
        let notice = Notice::ApiKeyCreated(key.name.as_str().to_owned());
        self.mailer.post(Mail::Changed { to: user.email, notice }).await;
        Ok((key, text.into()))
    }

    /// The user's keys, oldest first.
    pub(crate) async fn list(&self, owner: UserId, page: &PageRequest) -> Result<Page<ApiKey>, Failure> {
        Ok(self.keys.list_api_keys(owner, page).await?)
    }

    /// One of the user's keys. `NotFound` for another's as for one that is not.
    pub(crate) async fn show(&self, owner: UserId, id: ApiKeyId) -> Result<ApiKey, Failure> {
        self.keys.find_api_key(owner, id).await?.ok_or(Failure::NotFound)
    }

    /// Ends one of the user's keys: it stops working everywhere. `NotFound` for another's as for one that is not.
    pub(crate) async fn revoke(&self, owner: UserId, id: ApiKeyId, origin: &Origin) -> Result<(), Failure> {
        let now = self.clock.now();
        if !self.keys.revoke_api_key(owner, id, now).await? {
            return Err(Failure::NotFound);
        }
        self.revocations.revoked(&[(SessionId(id.0), now + RECALLED)]);
        tracing::info!(event = "api_key_revoked", user_id = %owner, api_key_id = %id);
        let entry = self.audit.entry(Actor::User(owner), origin, "api_key.revoked", Outcome::Success);
        entry.target("api_key", id).write().await;
        Ok(())
    }
}

/// The scopes, when neither they nor the expiry have a fault.
fn faultless(
    scopes: Result<BTreeSet<String>, Vec<(Option<usize>, crate::kernel::error::ValueFault)>>,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<BTreeSet<String>, Failure> {
    let mut faults = Vec::new();
    let scopes = scopes.unwrap_or_else(|found| {
        faults.extend(found.into_iter().map(|(index, fault)| {
            let pointer = index.map_or_else(|| "/scopes".to_owned(), |index| format!("/scopes/{index}"));
            FieldFault::new(pointer, fault.code, fault.detail)
        }));
        BTreeSet::new()
    });
    if expires_at.is_some_and(|at| at <= now) {
        faults.push(FieldFault::new("/expires_at", "in-the-past", "expected a time in the future"));
    }
    if faults.is_empty() { Ok(scopes) } else { Err(Failure::Invalid(faults)) }
}
