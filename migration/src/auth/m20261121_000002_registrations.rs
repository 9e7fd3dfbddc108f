//! A mailed token remembers the registration it belongs to; a session remembers the device it began on.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum EmailTokens {
    Table,
    /// The password of the registration that the token was mailed for; null: that of the account.
    PasswordHash,
    /// The name given at that registration.
    DisplayName,
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    /// What the device called itself at login.
    UserAgent,
    /// Where the login came from.
    Address,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column a statement: SQLite takes no more.
        for mut column in [string_null(EmailTokens::PasswordHash), string_null(EmailTokens::DisplayName)] {
            manager.alter_table(Table::alter().table(EmailTokens::Table).add_column(&mut column).to_owned()).await?;
        }
        for mut column in [string_null(Sessions::UserAgent), string_null(Sessions::Address)] {
            manager.alter_table(Table::alter().table(Sessions::Table).add_column(&mut column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [EmailTokens::DisplayName, EmailTokens::PasswordHash] {
            manager.alter_table(Table::alter().table(EmailTokens::Table).drop_column(column).to_owned()).await?;
        }
        for column in [Sessions::Address, Sessions::UserAgent] {
            manager.alter_table(Table::alter().table(Sessions::Table).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
