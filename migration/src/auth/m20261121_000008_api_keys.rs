//! API keys: what a user lets programs do in its name.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum ApiKeys {
    Table,
    Id,
    UserId,
    Name,
    /// How the key begins, for its owner to recognise.
    Hint,
    /// SHA-256 of the whole key, in hexadecimal.
    Digest,
    /// Permission names, separated by spaces.
    Scopes,
    CreatedAt,
    ExpiresAt,
    LastUsedAt,
    RevokedAt,
}

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
    UpdatedAt,
}

const USERS_UPDATED: &str = "users_updated_at";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut owner = ForeignKey::create()
            .from(ApiKeys::Table, ApiKeys::UserId)
            .to(Users::Table, Users::Id)
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        manager
            .create_table(
                Table::create()
                    .table(ApiKeys::Table)
                    .col(pk_uuid(ApiKeys::Id))
                    .col(uuid(ApiKeys::UserId))
                    .col(string(ApiKeys::Name))
                    .col(string(ApiKeys::Hint))
                    .col(string_uniq(ApiKeys::Digest))
                    .col(text(ApiKeys::Scopes))
                    .col(timestamp_with_time_zone(ApiKeys::CreatedAt))
                    .col(timestamp_with_time_zone_null(ApiKeys::ExpiresAt))
                    .col(timestamp_with_time_zone_null(ApiKeys::LastUsedAt))
                    .col(timestamp_with_time_zone_null(ApiKeys::RevokedAt))
                    .foreign_key(&mut owner)
                    .to_owned(),
            )
            .await?;
        for (name, column) in [("api_keys_of_user", ApiKeys::UserId), ("api_keys_revoked", ApiKeys::RevokedAt)] {
            let index = Index::create().name(name).table(ApiKeys::Table).col(column).to_owned();
            manager.create_index(index).await?;
        }
        // The feed of revocations asks several times a second who was suspended lately.
        let changed = Index::create().name(USERS_UPDATED).table(Users::Table).col(Users::UpdatedAt).to_owned();
        manager.create_index(changed).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(USERS_UPDATED).table(Users::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(ApiKeys::Table).to_owned()).await
    }
}
