//! Writes the audit log. An action that was done is not undone because its line could not be written: that is told in the
//! log of the process instead, with all that the line would have said.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{AuditFilter, AuditLog, Failure};
use crate::{
    kernel::{Clock, Page, PageRequest, Random, ids::new_uuid},
    modules::auth::domain::{Actor, AuditEntry, Origin, Outcome},
};

/// The audit log, as use cases write it.
#[derive(Clone)]
pub(crate) struct Audit {
    pub(crate) store: Arc<dyn AuditLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Audit {
    /// Lines, newest first; cursors are their ids.
    pub(crate) async fn read(&self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>, Failure> {
        Ok(self.store.read(filter, page).await?)
    }

    /// Begins a line: `action` as `noun.verb`.
    pub(crate) fn entry(&self, actor: Actor, origin: &Origin, action: &str, outcome: Outcome) -> Line<'_> {
        let entry = AuditEntry {
            id: new_uuid(&*self.clock, &*self.random),
            at: self.clock.now(),
            actor,
            action: action.to_owned(),
            outcome,
            target: None,
            origin: origin.clone(),
            details: Map::new(),
        };
        Line { audit: self, entry }
    }
}

/// A line that is being written. It is kept by `write`.
#[must_use = "a line is kept by `write`"]
pub(crate) struct Line<'a> {
    audit: &'a Audit,
    entry: AuditEntry,
}

impl Line<'_> {
    /// To whom or what.
    #[expect(clippy::needless_pass_by_value, reason = "ids are small, and callers read better without the borrow")]
    pub(crate) fn target(mut self, kind: &str, id: impl ToString) -> Self {
        self.entry.target = Some((kind.to_owned(), id.to_string()));
        self
    }

    /// What else matters; never a secret.
    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.entry.details.insert(name.to_owned(), value.into());
        self
    }

    /// Keeps the line.
    pub(crate) async fn write(self) {
        let Err(error) = self.audit.store.append(&self.entry).await else { return };
        let entry = &self.entry;
        tracing::error!(
            event = "audit_entry_not_kept", %error, action = %entry.action, outcome = entry.outcome.as_str(),
            actor = entry.actor.kind(), actor_id = entry.actor.id(),
            target = entry.target.as_ref().map(|(kind, id)| format!("{kind} {id}")),
        );
    }
}
