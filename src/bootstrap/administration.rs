//! What operators do to the `auth` role from the command line, beside a running server or before there is one.

#[cfg(feature = "auth")]
use std::sync::Arc;

use super::RoleSet;
use crate::{config::Config, kernel::StartError, modules::auth::api::Administration};
#[cfg(feature = "auth")]
use crate::{
    kernel::{Role, SystemClock},
    modules::auth,
    platform::random::SystemRandom,
};

/// Administration, on the database of `auth`. Fails where the role is not compiled in.
pub async fn administration(config: &Config) -> Result<Administration, StartError> {
    #[cfg(feature = "auth")]
    let opened =
        auth::administration_only(&config.auth, &config.database, Arc::new(SystemClock), Arc::new(SystemRandom)).await;
    #[cfg(not(feature = "auth"))]
    let opened = missing(config).await;
    opened
}

#[cfg(not(feature = "auth"))]
async fn missing(_: &Config) -> Result<Administration, StartError> {
    std::future::ready(Err(StartError::Failed("role `auth` is not compiled into this binary".to_owned()))).await
}

/// A migration and whether it is applied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MigrationView {
    /// The role whose data it shapes.
    pub role: &'static str,
    /// The migration's name.
    pub migration: String,
    /// Whether it is applied.
    pub applied: bool,
}

/// Applies every migration of the roles that is missing. Two at the same time are as good as one.
pub async fn migrate_up(config: &Config, roles: &RoleSet) -> Result<(), StartError> {
    #[cfg(feature = "auth")]
    if roles.has(Role::Auth) {
        auth::migrate_up(&config.auth, &config.database).await?;
    }
    let _ = (config, roles);
    std::future::ready(Ok(())).await
}

/// Takes back the newest migration of each of the roles.
pub async fn migrate_down(config: &Config, roles: &RoleSet) -> Result<(), StartError> {
    #[cfg(feature = "auth")]
    if roles.has(Role::Auth) {
        auth::migrate_down(&config.auth, &config.database).await?;
    }
    let _ = (config, roles);
    std::future::ready(Ok(())).await
}

/// The migrations of the roles in their order; roles that keep nothing have none.
pub async fn migrations(config: &Config, roles: &RoleSet) -> Result<Vec<MigrationView>, StartError> {
    #[cfg(feature = "auth")]
    if roles.has(Role::Auth) {
        let found = auth::migration_status(&config.auth, &config.database).await?;
        let view = |migration: crate::platform::database::AppliedMigration| MigrationView {
            role: Role::Auth.as_str(),
            migration: migration.name,
            applied: migration.applied,
        };
        return Ok(found.into_iter().map(view).collect());
    }
    let _ = (config, roles);
    std::future::ready(Ok(Vec::new())).await
}
