//! The outbox in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{MemoryStore, State};
use crate::modules::auth::{
    application::{HeldEntry, Hold, Outbox, PortError},
    domain::{Channel, OutboxEntry},
};

/// How many entries may wait.
pub(crate) const MOST: usize = 20;

/// An entry, and how its delivery stands.
pub(super) struct Waiting {
    entry: OutboxEntry,
    due_at: DateTime<Utc>,
    attempts: u32,
    held: Option<(Uuid, DateTime<Utc>)>,
}

pub(super) fn room(state: &State) -> Result<(), PortError> {
    if state.outbox.len() < MOST {
        return Ok(());
    }
    Err(PortError::Unavailable("too many mails wait to be sent".to_owned()))
}

pub(super) fn insert(state: &mut State, entry: &OutboxEntry) {
    state.outbox.push(Waiting { entry: entry.clone(), due_at: entry.created_at, attempts: 0, held: None });
    state.outbox.sort_by_key(|waiting| waiting.entry.id);
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn put(&self, entry: &OutboxEntry) -> Result<(), PortError> {
        let mut state = self.state();
        room(&state)?;
        insert(&mut state, entry);
        Ok(())
    }

    async fn hold(&self, _: Channel, hold: &Hold) -> Result<Option<HeldEntry>, PortError> {
        let mut state = self.state();
        let mut keys = std::collections::HashSet::new();
        for waiting in &mut state.outbox {
            let is_first = keys.insert(waiting.entry.key.clone());
            let is_free = waiting.held.is_none_or(|(_, until)| until <= hold.now);
            if is_first && is_free && waiting.due_at <= hold.now {
                waiting.attempts += 1;
                waiting.held = Some((hold.holder, hold.until));
                return Ok(Some(HeldEntry { entry: waiting.entry.clone(), attempts: waiting.attempts }));
            }
        }
        Ok(None)
    }

    async fn keep_hold(&self, id: Uuid, hold: &Hold) -> Result<bool, PortError> {
        let mut state = self.state();
        let is_held =
            |waiting: &&mut Waiting| waiting.entry.id == id && waiting.held.is_some_and(|(by, _)| by == hold.holder);
        let Some(waiting) = state.outbox.iter_mut().find(is_held) else { return Ok(false) };
        waiting.held = Some((hold.holder, hold.until));
        Ok(true)
    }

    async fn remove(&self, id: Uuid) -> Result<(), PortError> {
        self.state().outbox.retain(|waiting| waiting.entry.id != id);
        Ok(())
    }

    async fn postpone(&self, id: Uuid, holder: Uuid, due_at: DateTime<Utc>) -> Result<(), PortError> {
        let mut state = self.state();
        let is_held =
            |waiting: &&mut Waiting| waiting.entry.id == id && waiting.held.is_some_and(|(by, _)| by == holder);
        if let Some(waiting) = state.outbox.iter_mut().find(is_held) {
            waiting.held = None;
            waiting.due_at = due_at;
        }
        Ok(())
    }

    async fn waiting(&self, _: Channel) -> Result<u64, PortError> {
        Ok(self.state().outbox.len() as u64)
    }
}
