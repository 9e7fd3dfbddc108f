//! Passkeys: the public halves of keys that users' devices hold.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Passkeys {
    Table,
    Id,
    UserId,
    Name,
    /// The credential's id, in base64url.
    CredentialId,
    /// How often it has signed; only ever greater, or 0.
    SignCount,
    IsSynced,
    /// The public key and what else a ceremony compares, as JSON.
    Kept,
    CreatedAt,
    LastUsedAt,
}

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut owner = ForeignKey::create()
            .from(Passkeys::Table, Passkeys::UserId)
            .to(Users::Table, Users::Id)
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        manager
            .create_table(
                Table::create()
                    .table(Passkeys::Table)
                    .col(pk_uuid(Passkeys::Id))
                    .col(uuid(Passkeys::UserId))
                    .col(string(Passkeys::Name))
                    .col(text_uniq(Passkeys::CredentialId))
                    .col(big_integer(Passkeys::SignCount))
                    .col(boolean(Passkeys::IsSynced))
                    .col(text(Passkeys::Kept))
                    .col(timestamp_with_time_zone(Passkeys::CreatedAt))
                    .col(timestamp_with_time_zone_null(Passkeys::LastUsedAt))
                    .foreign_key(&mut owner)
                    .to_owned(),
            )
            .await?;
        let index = Index::create().name("passkeys_of_user").table(Passkeys::Table).col(Passkeys::UserId).to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Passkeys::Table).to_owned()).await
    }
}
