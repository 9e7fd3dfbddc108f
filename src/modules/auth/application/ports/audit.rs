//! The audit log.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::{
    kernel::{Page, PageRequest},
    modules::auth::domain::AuditEntry,
};

/// What to look for in the audit log; every part that is there must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AuditFilter {
    /// The actor's id.
    pub(crate) actor: Option<String>,
    /// The action, whole, or a prefix that ends in `.`.
    pub(crate) action: Option<String>,
    /// The target's id.
    pub(crate) target: Option<String>,
    /// Not before.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Before.
    pub(crate) until: Option<DateTime<Utc>>,
}

/// Where the audit log is kept. Entries are added and never changed.
#[async_trait]
pub(crate) trait AuditLog: Send + Sync {
    /// Adds an entry.
    async fn append(&self, entry: &AuditEntry) -> Result<(), PortError>;
    /// Entries, newest first; cursors are entries' ids.
    async fn read(&self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>, PortError>;
}
