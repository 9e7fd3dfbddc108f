//! Taking over the users of another system.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::AuthError;
use crate::kernel::FieldFault;

/// Import of users from the command line.
#[async_trait]
pub trait UserImport: Send + Sync {
    /// Judges a batch and keeps, all at once, what is acceptable of it; the rest is told.
    async fn import_users(&self, batch: Vec<ImportedUser>, mode: ImportMode) -> Result<ImportReport, AuthError>;
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImportMode {
    /// Nothing is kept; only what would be is told.
    pub dry_run: bool,
    /// An address that has an account is no fault.
    pub skip_existing: bool,
}

/// A user of another system, as a line of a file says.
#[derive(Debug, Clone)]
pub struct ImportedUser {
    /// The line, for the report.
    pub line: u64,
    /// The address.
    pub email: String,
    /// The hash in its self-describing form; absent: a password has to be set by a mailed link.
    pub password_hash: Option<SecretString>,
    /// Whether the address counts as verified.
    pub email_verified: bool,
    /// The name to show.
    pub display_name: Option<String>,
    /// Role names; empty: `user`.
    pub roles: Vec<String>,
    /// When the account was made; absent: now.
    pub created_at: Option<DateTime<Utc>>,
    /// `pending`, `active` or `suspended`; absent: by the address.
    pub status: Option<String>,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Users that were made, or would be.
    pub imported: u64,
    /// Users left out because their address has an account.
    pub existing: u64,
    /// Lines that are at fault, each fault once.
    pub refused: Vec<(u64, FieldFault)>,
}
