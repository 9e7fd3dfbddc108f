//! Roles with their permissions and what they inherit; answers that are kept for calls that come again.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Roles {
    Table,
    Name,
    /// A JSON array of permission names, beside those that the product gives to a built-in role.
    Permissions,
    /// A JSON array of role names.
    Inherits,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum UserRoles {
    Table,
    UserId,
    Role,
}

#[derive(DeriveIden)]
enum IdempotencyKeys {
    Table,
    /// Whose key it is.
    Owner,
    /// The hash of the key: the key itself opens the answer.
    KeyHash,
    /// What the call was, without its secrets.
    Fingerprint,
    /// The hash of the call's secret, made as passwords are.
    SecretHash,
    /// The answer, sealed; null while the call is under way.
    SealedAnswer,
    /// Until when a call under way keeps others out.
    ClaimedUntil,
    ExpiresAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Roles::Table)
                    .col(string(Roles::Name).primary_key())
                    .col(text(Roles::Permissions))
                    .col(text(Roles::Inherits))
                    .col(timestamp_with_time_zone(Roles::UpdatedAt))
                    .to_owned(),
            )
            .await?;
        for (name, inherits) in [("admin", "[\"user\"]"), ("user", "[]")] {
            let row = Query::insert()
                .into_table(Roles::Table)
                .columns([Roles::Name, Roles::Permissions, Roles::Inherits, Roles::UpdatedAt])
                .values_panic([name.into(), "[]".into(), inherits.into(), Expr::current_timestamp()])
                .to_owned();
            manager.execute(row).await?;
        }
        let by_role = Index::create()
            .name("user_roles_by_role")
            .table(UserRoles::Table)
            .col(UserRoles::Role)
            .col(UserRoles::UserId)
            .to_owned();
        manager.create_index(by_role).await?;
        manager
            .create_table(
                Table::create()
                    .table(IdempotencyKeys::Table)
                    .col(string(IdempotencyKeys::Owner))
                    .col(string(IdempotencyKeys::KeyHash))
                    .col(string(IdempotencyKeys::Fingerprint))
                    .col(string_null(IdempotencyKeys::SecretHash))
                    .col(binary_null(IdempotencyKeys::SealedAnswer))
                    .col(timestamp_with_time_zone(IdempotencyKeys::ClaimedUntil))
                    .col(timestamp_with_time_zone(IdempotencyKeys::ExpiresAt))
                    .primary_key(Index::create().col(IdempotencyKeys::Owner).col(IdempotencyKeys::KeyHash))
                    .to_owned(),
            )
            .await?;
        let by_expiry = Index::create()
            .name("idempotency_keys_by_expiry")
            .table(IdempotencyKeys::Table)
            .col(IdempotencyKeys::ExpiresAt)
            .to_owned();
        manager.create_index(by_expiry).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(IdempotencyKeys::Table).to_owned()).await?;
        manager.drop_index(Index::drop().name("user_roles_by_role").table(UserRoles::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(Roles::Table).to_owned()).await
    }
}
