//! OAuth clients.

use async_trait::async_trait;

use super::PortError;
use crate::{
    kernel::{Page, PageRequest},
    modules::auth::domain::Client,
};

/// Where OAuth clients are kept.
#[async_trait]
pub(crate) trait ClientRepository: Send + Sync {
    /// Adds a client.
    async fn add(&self, client: &Client) -> Result<(), PortError>;
    /// The client of an id.
    async fn find(&self, id: &str) -> Result<Option<Client>, PortError>;
    /// Clients by id.
    async fn list(&self, page: &PageRequest) -> Result<Page<Client>, PortError>;
    /// Replaces a client that was not changed since `client.updated_at` was read as `unless_changed_since`; `false`
    /// when it was, or is not there.
    async fn replace(
        &self,
        client: &Client,
        unless_changed_since: chrono::DateTime<chrono::Utc>,
    ) -> Result<bool, PortError>;
    /// Removes a client, and with it what it was given to keep: consents, codes, and its sessions, which are ended and
    /// told. `None` when there is none such.
    async fn remove(
        &self,
        id: &str,
        now: chrono::DateTime<chrono::Utc>,
        tokens_until: chrono::DateTime<chrono::Utc>,
    ) -> Result<Option<Vec<super::RevokedSession>>, PortError>;
}
