//! A client may be held to pushed authorization requests (RFC 9126 §6).

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum OauthClients {
    Table,
    RequirePushedRequests,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut column = boolean(OauthClients::RequirePushedRequests).default(false).take();
        manager.alter_table(Table::alter().table(OauthClients::Table).add_column(&mut column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = OauthClients::RequirePushedRequests;
        manager.alter_table(Table::alter().table(OauthClients::Table).drop_column(column).to_owned()).await
    }
}
