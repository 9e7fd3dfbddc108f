//! A session remembers what was granted to whom, how its user logged in, and when it ends for good.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Sessions {
    Table,
    /// What a client was granted; null: everything that the user may.
    Scope,
    /// Who the access tokens are for; null: the configured audience.
    Audience,
    AuthenticatedAt,
    /// How the user logged in, as RFC 8176 names it.
    Methods,
    EndsAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column a statement: SQLite takes no more.
        for mut column in [
            string_null(Sessions::Scope),
            string_null(Sessions::Audience),
            timestamp_with_time_zone_null(Sessions::AuthenticatedAt),
            string_null(Sessions::Methods),
            timestamp_with_time_zone_null(Sessions::EndsAt),
        ] {
            manager.alter_table(Table::alter().table(Sessions::Table).add_column(&mut column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in
            [Sessions::EndsAt, Sessions::Methods, Sessions::AuthenticatedAt, Sessions::Audience, Sessions::Scope]
        {
            manager.alter_table(Table::alter().table(Sessions::Table).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
