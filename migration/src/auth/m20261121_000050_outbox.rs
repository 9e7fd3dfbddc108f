//! What is on its way out of the installation: written with the change that it is about, taken away when it was delivered.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum OutboxEntries {
    Table,
    Id,
    /// What delivers it, such as `mail`.
    Channel,
    /// Entries of one key are delivered in their order.
    Key,
    /// Sealed where there is a master key.
    Content,
    CreatedAt,
    DueAt,
    Attempts,
    /// Who delivers it now; null while nobody does.
    Holder,
    HeldUntil,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(OutboxEntries::Table)
            .col(uuid(OutboxEntries::Id).primary_key())
            .col(string(OutboxEntries::Channel))
            .col(text(OutboxEntries::Key))
            .col(binary(OutboxEntries::Content))
            .col(timestamp_with_time_zone(OutboxEntries::CreatedAt))
            .col(timestamp_with_time_zone(OutboxEntries::DueAt))
            .col(integer(OutboxEntries::Attempts))
            .col(uuid_null(OutboxEntries::Holder))
            .col(timestamp_with_time_zone_null(OutboxEntries::HeldUntil))
            .take();
        manager.create_table(table).await?;
        let index = |name: &str| Index::create().name(name).table(OutboxEntries::Table).take();
        let by_due = index("outbox_entries_by_due").col(OutboxEntries::Channel).col(OutboxEntries::DueAt).take();
        manager.create_index(by_due).await?;
        let mut by_key = index("outbox_entries_by_key");
        by_key.col(OutboxEntries::Channel).col(OutboxEntries::Key).col(OutboxEntries::Id);
        manager.create_index(by_key).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(OutboxEntries::Table).take()).await
    }
}
