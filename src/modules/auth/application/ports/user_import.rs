//! Many users at once.

use async_trait::async_trait;

use super::PortError;
use crate::modules::auth::domain::{Email, User};

/// Where imported users are kept: with all the others.
#[async_trait]
pub(crate) trait UserImportStore: Send + Sync {
    /// Inserts the users whose addresses are free, in one transaction, and tells for each whether it was inserted. Of several
    /// with one address the first MUST win.
    async fn insert_all(&self, users: &[User]) -> Result<Vec<bool>, PortError>;
    /// Those of the addresses that are taken.
    async fn taken(&self, emails: &[Email]) -> Result<Vec<Email>, PortError>;
}
