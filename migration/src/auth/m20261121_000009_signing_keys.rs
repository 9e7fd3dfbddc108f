//! A signing key has a life: it is published, signs, verifies what it signed, and is retired.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum SigningKeys {
    Table,
    /// When it begins to sign; null: since it was made.
    SignsFrom,
    /// When an instance last said that it signs with it.
    UsedAt,
    /// When it was retired; its private key is gone then.
    RetiredAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column a statement: SQLite takes no more.
        for column in [SigningKeys::SignsFrom, SigningKeys::UsedAt, SigningKeys::RetiredAt] {
            let mut column = timestamp_with_time_zone_null(column);
            manager.alter_table(Table::alter().table(SigningKeys::Table).add_column(&mut column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [SigningKeys::RetiredAt, SigningKeys::UsedAt, SigningKeys::SignsFrom] {
            manager.alter_table(Table::alter().table(SigningKeys::Table).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
