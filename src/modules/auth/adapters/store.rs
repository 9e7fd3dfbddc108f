//! Users, sessions and keys in the database, by sea-orm: one code for SQLite and PostgreSQL.

mod api_keys;
mod attempts;
mod audit;
mod authorization_codes;
mod browser_sessions;
mod client_grants;
mod clients;
mod consents;
mod device_grants;
mod directory;
mod email_tokens;
mod entities;
mod idempotency;
mod interactions;
mod keys;
mod outbox;
mod page;
mod passkeys;
mod purge;
mod purge_authorizations;
mod roles;
mod second_factors;
mod sessions;
mod user_import;
mod users;

#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::Notify;

use self::outbox::OutboxGate;
use crate::{
    modules::auth::application::PortError,
    platform::database::{Database, DatabaseError},
};

pub(crate) use keys::KeptKey;

/// The module's store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
    outbox: Arc<OutboxGate>,
}

impl Store {
    /// A store over a migrated database.
    pub(crate) fn new(database: Database) -> Self {
        Self::with_outbox(database, i64::MAX.unsigned_abs())
    }

    /// The same, where only so many mails may wait to be sent.
    pub(crate) fn with_outbox(database: Database, most: u64) -> Self {
        Self { database, outbox: Arc::new(OutboxGate { most, bell: Notify::new() }) }
    }
}

impl From<DatabaseError> for PortError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(detail) => Self::Unavailable(detail),
            DatabaseError::Conflict(detail) | DatabaseError::Internal(detail) => Self::Internal(detail),
        }
    }
}

/// A row that no code of ours can have written.
fn corrupt(what: &str) -> PortError {
    PortError::Internal(format!("a row of the database cannot be read: {what}"))
}
