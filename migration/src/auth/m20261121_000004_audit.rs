//! The audit log. Its lines are added and never changed, so that nothing refers to what may go.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum AuditEntries {
    Table,
    /// Ordered by time.
    Id,
    At,
    ActorKind,
    ActorId,
    Action,
    Outcome,
    TargetKind,
    TargetId,
    Address,
    UserAgent,
    RequestId,
    /// A JSON object.
    Details,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(AuditEntries::Table)
                    .col(pk_uuid(AuditEntries::Id))
                    .col(timestamp_with_time_zone(AuditEntries::At))
                    .col(string(AuditEntries::ActorKind))
                    .col(string_null(AuditEntries::ActorId))
                    .col(string(AuditEntries::Action))
                    .col(string(AuditEntries::Outcome))
                    .col(string_null(AuditEntries::TargetKind))
                    .col(string_null(AuditEntries::TargetId))
                    .col(string_null(AuditEntries::Address))
                    .col(string_null(AuditEntries::UserAgent))
                    .col(string_null(AuditEntries::RequestId))
                    .col(text(AuditEntries::Details))
                    .to_owned(),
            )
            .await?;
        for (name, column) in [
            ("audit_entries_by_actor", AuditEntries::ActorId),
            ("audit_entries_by_target", AuditEntries::TargetId),
            ("audit_entries_by_action", AuditEntries::Action),
        ] {
            let index =
                Index::create().name(name).table(AuditEntries::Table).col(column).col(AuditEntries::Id).to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(AuditEntries::Table).to_owned()).await
    }
}
