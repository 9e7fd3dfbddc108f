//! What is on its way out, and who carries it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Mail, PortError};
use crate::modules::auth::domain::{Channel, OutboxEntry};

/// Who holds an entry, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Another one for each delivery.
    pub(crate) holder: Uuid,
    /// Now.
    pub(crate) now: DateTime<Utc>,
    /// When others may take the entry, since its holder has died.
    pub(crate) until: DateTime<Utc>,
}

/// An entry that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldEntry {
    /// The entry.
    pub(crate) entry: OutboxEntry,
    /// How often it was tried, this time included.
    pub(crate) attempts: u32,
}

/// Where what is on its way out is kept. Every instance of the installation MUST see the same entries.
///
/// Other stores write entries with their changes, in one transaction ([`super::UserRepository::register`]).
#[async_trait]
pub(crate) trait Outbox: Send + Sync {
    /// Keeps an entry, due at once. `Unavailable`, with nothing changed, when too many wait.
    async fn put(&self, entry: &OutboxEntry) -> Result<(), PortError>;
    /// Takes hold of the oldest entry of a channel that is due, that nobody holds, and before which none of its key waits;
    /// counts the attempt. Of several concurrent calls no two MUST get the same one.
    async fn hold(&self, channel: Channel, hold: &Hold) -> Result<Option<HeldEntry>, PortError>;
    /// Holds it for longer; `false` when somebody else does by now.
    async fn keep_hold(&self, id: Uuid, hold: &Hold) -> Result<bool, PortError>;
    /// Takes an entry away: it was delivered, or never will be. MUST leave nothing of its content.
    async fn remove(&self, id: Uuid) -> Result<(), PortError>;
    /// Lets go of an entry that `holder` holds, to be tried again at `due_at`.
    async fn postpone(&self, id: Uuid, holder: Uuid, due_at: DateTime<Utc>) -> Result<(), PortError>;
    /// How many entries of a channel wait.
    async fn waiting(&self, channel: Channel) -> Result<u64, PortError>;
}

/// Writes mails, and sees to it that they are sent.
#[async_trait]
pub(crate) trait Mailer: Send + Sync {
    /// The mail as an entry of the outbox, for a store to keep with a change. MUST cost about the same for every mail.
    fn write(&self, mail: &Mail) -> OutboxEntry;
    /// Keeps a mail about something that has happened already: when this returns, the mail outlives the process. MUST NOT
    /// fail, since what has happened stays; what cannot be kept is told in the log.
    async fn post(&self, mail: Mail);
}

/// Why a mail was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CarryFault {
    /// It is worth another try.
    Later(String),
    /// No try will help.
    Never(String),
}

/// Takes mails to where they are read.
#[async_trait]
pub(crate) trait MailCarrier: Send + Sync {
    /// Delivers a mail, or says why not, within a bounded time. A second delivery of one entry MUST be recognisable.
    async fn carry(&self, entry: &OutboxEntry) -> Result<(), CarryFault>;
}
