//! The migrations of the `auth` module, in their order.

use sea_orm_migration::prelude::*;

mod m20261121_000001_accounts;
mod m20261121_000002_registrations;
mod m20261121_000003_grants;
mod m20261121_000004_audit;
mod m20261121_000005_roles;
mod m20261121_000006_audit_append_only;
mod m20261121_000007_second_factors;
mod m20261121_000008_api_keys;
mod m20261121_000009_signing_keys;
mod m20261121_000010_clients;
mod m20261121_000011_authorizations;
mod m20261121_000040_passkeys;
mod m20261121_000050_outbox;
mod m20261121_000051_pushed_requests;

/// Applies and takes back the schema of accounts, sessions and keys.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_accounts::Migration),
            Box::new(m20261121_000002_registrations::Migration),
            Box::new(m20261121_000003_grants::Migration),
            Box::new(m20261121_000004_audit::Migration),
            Box::new(m20261121_000005_roles::Migration),
            Box::new(m20261121_000006_audit_append_only::Migration),
            Box::new(m20261121_000007_second_factors::Migration),
            Box::new(m20261121_000008_api_keys::Migration),
            Box::new(m20261121_000009_signing_keys::Migration),
            Box::new(m20261121_000010_clients::Migration),
            Box::new(m20261121_000011_authorizations::Migration),
            Box::new(m20261121_000040_passkeys::Migration),
            Box::new(m20261121_000050_outbox::Migration),
            Box::new(m20261121_000051_pushed_requests::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        "auth_migrations".into_iden()
    }
}
