//! A user adds passkeys, sees them and takes them off.

mod log_in;

use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    AttemptLimiter, Audit, Failure, Mail, Mailer, Notice, PasskeyCeremonies, PasskeyKept, PasskeyRepository, Settings,
    UserRepository, oauth::Interactions,
};
use crate::{
    kernel::{Clock, FieldFault, Page, PageRequest, PasskeyId, Random, SessionId, UserId},
    modules::auth::domain::{Actor, DisplayName, InteractionKind, Origin, Outcome, Passkey, PasskeyCredential, User},
};

/// The use cases.
#[derive(Clone)]
pub(crate) struct Passkeys {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) store: Arc<dyn PasskeyRepository>,
    pub(crate) ceremonies: Arc<dyn PasskeyCeremonies>,
    /// Ceremonies that wait for their end: each once.
    pub(crate) interactions: Interactions,
    /// Wrong answers, and nothing else.
    pub(crate) attempts: Arc<dyn AttemptLimiter>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
    /// The most passkeys of one user.
    pub(crate) most: u32,
    /// How long a device's answer is waited for.
    pub(crate) patience: TimeDelta,
}

/// What a passkey is to be.
#[derive(Debug, Clone)]
pub(crate) struct NewPasskey {
    /// What its owner calls it.
    pub(crate) name: DisplayName,
    /// What the device answered.
    pub(crate) answer: Value,
}

/// A passkey that is being made, in the session that asked for it.
#[derive(Serialize, Deserialize)]
struct Registration {
    user: UserId,
    session: SessionId,
    begun: String,
}

impl Passkeys {
    /// The options for a device to make a passkey by. Its answer is awaited in the same session.
    pub(crate) async fn begin_registration(&self, session: SessionId, owner: UserId) -> Result<Value, Failure> {
        let user = self.users.find(owner).await?.ok_or(Failure::NotFound)?;
        let known = self.all(owner).await?;
        if known.len() >= self.most as usize {
            return Err(Failure::TooManyPasskeys(self.most));
        }
        let (options, begun) = self.ceremonies.begin_registration(&user, &known)?;
        let challenge = options.get("challenge").and_then(Value::as_str);
        let challenge = challenge.ok_or_else(|| Failure::Internal("a ceremony without a challenge".to_owned()))?;
        let waiting = Registration { user: owner, session, begun };
        self.interactions.leave_by(challenge, InteractionKind::PasskeyRegistration, &waiting, self.patience).await?;
        Ok(options)
    }

    /// Keeps the passkey that a device made. Whatever comes of it, its ceremony is over.
    pub(crate) async fn end_registration(
        &self,
        session: SessionId,
        owner: UserId,
        new: NewPasskey,
        origin: &Origin,
    ) -> Result<Passkey, Failure> {
        let user = self.users.find(owner).await?.ok_or(Failure::NotFound)?;
        let credential = self.made(session, owner, &new.answer).await?;
        let passkey = Passkey {
            id: PasskeyId::new(&*self.clock, &*self.random),
            user_id: owner,
            name: new.name,
            credential,
            created_at: self.clock.now(),
            last_used_at: None,
        };
        match self.store.keep_passkey(&passkey, self.most).await? {
            PasskeyKept::Kept => {}
            PasskeyKept::TooMany => return Err(Failure::TooManyPasskeys(self.most)),
            PasskeyKept::Known => return Err(Failure::PasskeyKnown),
            PasskeyKept::NoOwner => return Err(Failure::NotFound),
        }
        tracing::info!(event = "passkey_added", user_id = %owner, passkey_id = %passkey.id);
        let name = passkey.name.as_str();
        let line = self.audit.entry(Actor::User(owner), origin, "passkey.added", Outcome::Success);
        line.target("passkey", passkey.id).detail("name", name).write().await;
        self.notify(&user, Notice::PasskeyAdded(name.to_owned())).await;
        Ok(passkey)
    }

    async fn made(&self, session: SessionId, owner: UserId, answer: &Value) -> Result<PasskeyCredential, Failure> {
        let challenge = self.ceremonies.challenge_of(answer).ok_or_else(unreadable)?;
        let waiting: Option<Registration> =
            self.interactions.take(InteractionKind::PasskeyRegistration, &challenge).await?;
        let waiting = waiting.filter(|waiting| waiting.user == owner && waiting.session == session);
        let made = waiting.map(|waiting| self.ceremonies.end_registration(answer, &waiting.begun));
        made.and_then(Result::ok).ok_or_else(|| {
            let detail = "this does not answer the options that were given, or comes too late";
            Failure::Invalid(vec![FieldFault::new("/credential", "invalid-credential", detail)])
        })
    }

    /// The user's passkeys, oldest first.
    pub(crate) async fn list(&self, owner: UserId, page: &PageRequest) -> Result<Page<Passkey>, Failure> {
        Ok(self.store.list_passkeys(owner, page).await?)
    }

    /// Takes one of the user's passkeys off. `NotFound` for another's as for one that is not.
    pub(crate) async fn remove(&self, owner: UserId, id: PasskeyId, origin: &Origin) -> Result<(), Failure> {
        let user = self.users.find(owner).await?.ok_or(Failure::NotFound)?;
        let passkey = self.all(owner).await?.into_iter().find(|passkey| passkey.id == id).ok_or(Failure::NotFound)?;
        if !self.store.remove_passkey(owner, id).await? {
            return Err(Failure::NotFound);
        }
        tracing::info!(event = "passkey_removed", user_id = %owner, passkey_id = %id);
        let name = passkey.name.as_str();
        let line = self.audit.entry(Actor::User(owner), origin, "passkey.removed", Outcome::Success);
        line.target("passkey", id).detail("name", name).write().await;
        self.notify(&user, Notice::PasskeyRemoved(name.to_owned())).await;
        Ok(())
    }

    /// Nobody may have more than a page of them.
    async fn all(&self, owner: UserId) -> Result<Vec<Passkey>, Failure> {
        Ok(self.store.list_passkeys(owner, &PageRequest { limit: PageRequest::MAX, cursor: None }).await?.items)
    }

    async fn notify(&self, user: &User, notice: Notice) {
        self.mailer.post(Mail::Changed { to: user.email.clone(), notice }).await;
    }
}

/// What is no answer of a device at all.
fn unreadable() -> Failure {
    let detail = "expected what `navigator.credentials` gave, as `toJSON()` writes it";
    Failure::Invalid(vec![FieldFault::new("/credential", "malformed-credential", detail)])
}
