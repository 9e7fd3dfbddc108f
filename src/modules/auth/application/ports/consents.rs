//! What users allowed clients.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{PortError, RevokedSession};
use crate::{
    kernel::{Page, PageRequest, UserId},
    modules::auth::domain::Consent,
};

/// Where consents are kept.
#[async_trait]
pub(crate) trait ConsentRepository: Send + Sync {
    /// What a user allowed a client.
    async fn find(&self, user: UserId, client_id: &str) -> Result<Option<Consent>, PortError>;
    /// Adds scopes to what the user allowed the client before.
    async fn grant(
        &self,
        user: UserId,
        client_id: &str,
        scopes: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), PortError>;
    /// A user's consents by client; cursors are clients' ids.
    async fn list(&self, user: UserId, page: &PageRequest) -> Result<Page<Consent>, PortError>;
    /// Takes a consent back: it is gone, codes that were not redeemed are dead, and the client's sessions of this user
    /// have ended, all at once. `None`, with nothing changed, when there was none.
    async fn revoke(
        &self,
        user: UserId,
        client_id: &str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<Vec<RevokedSession>>, PortError>;
}
