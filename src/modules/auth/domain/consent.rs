//! What a user allowed a client, and may take back.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::kernel::UserId;

/// A user's word to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consent {
    pub(crate) user: UserId,
    pub(crate) client_id: String,
    /// Everything that was allowed so far.
    pub(crate) scopes: BTreeSet<String>,
    /// When it was first given.
    pub(crate) granted_at: DateTime<Utc>,
    /// When it last grew.
    pub(crate) updated_at: DateTime<Utc>,
}
