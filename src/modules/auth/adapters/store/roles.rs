//! Roles.

use async_trait::async_trait;

use super::Store;
use crate::modules::auth::{
    application::{PortError, RoleStore},
    domain::RoleCatalog,
};

#[async_trait]
impl RoleStore for Store {
    async fn catalog(&self) -> Result<RoleCatalog, PortError> {
        Ok(RoleCatalog::built_in())
    }
}
