//! Roles.

use async_trait::async_trait;

use super::Store;
use crate::modules::auth::{
    application::{PortError, RoleRepository},
    domain::RoleCatalog,
};

#[async_trait]
impl RoleRepository for Store {
    async fn catalog(&self) -> Result<RoleCatalog, PortError> {
        Ok(RoleCatalog::built_in())
    }
}
