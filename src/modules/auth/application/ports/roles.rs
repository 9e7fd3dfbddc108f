//! Roles.

use async_trait::async_trait;

use super::PortError;
use crate::modules::auth::domain::RoleCatalog;

/// Where roles are kept.
#[async_trait]
pub(crate) trait RoleRepository: Send + Sync {
    /// Every role as it is now, `admin` and `user` among them.
    async fn catalog(&self) -> Result<RoleCatalog, PortError>;
}
