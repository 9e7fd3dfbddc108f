//! Second factors: TOTP with recovery codes, and the counters of failed attempts, which all instances share.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
    /// Whether a login asks for a second factor.
    MfaEnabled,
}

#[derive(DeriveIden)]
enum TotpFactors {
    Table,
    UserId,
    /// Sealed where a master key is configured.
    Secret,
    CreatedAt,
    /// Null while it waits for its first code.
    ConfirmedAt,
    /// The newest time step (RFC 6238 §4.2) whose code was used; neither it nor an earlier one works again.
    LastStep,
}

#[derive(DeriveIden)]
enum RecoveryCodes {
    Table,
    UserId,
    CodeHash,
}

#[derive(DeriveIden)]
enum AttemptCounters {
    Table,
    /// A hash of what is counted.
    Id,
    /// When the failures within the window happened: a JSON list of microseconds since 1970.
    Failures,
    LockedUntil,
    /// When it means nothing any more.
    ExpiresAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut enabled = boolean(Users::MfaEnabled).default(false).to_owned();
        manager.alter_table(Table::alter().table(Users::Table).add_column(&mut enabled).to_owned()).await?;
        manager
            .create_table(
                Table::create()
                    .table(TotpFactors::Table)
                    .col(pk_uuid(TotpFactors::UserId))
                    .col(binary(TotpFactors::Secret))
                    .col(timestamp_with_time_zone(TotpFactors::CreatedAt))
                    .col(timestamp_with_time_zone_null(TotpFactors::ConfirmedAt))
                    .col(big_integer_null(TotpFactors::LastStep))
                    .foreign_key(&mut owned_by_user(TotpFactors::Table, TotpFactors::UserId))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(RecoveryCodes::Table)
                    .col(uuid(RecoveryCodes::UserId))
                    .col(string(RecoveryCodes::CodeHash))
                    .primary_key(Index::create().col(RecoveryCodes::UserId).col(RecoveryCodes::CodeHash))
                    .foreign_key(&mut owned_by_user(RecoveryCodes::Table, RecoveryCodes::UserId))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(AttemptCounters::Table)
                    .col(string(AttemptCounters::Id).primary_key())
                    .col(text(AttemptCounters::Failures))
                    .col(timestamp_with_time_zone_null(AttemptCounters::LockedUntil))
                    .col(timestamp_with_time_zone(AttemptCounters::ExpiresAt))
                    .to_owned(),
            )
            .await?;
        let by_expiry = Index::create()
            .name("attempt_counters_by_expiry")
            .table(AttemptCounters::Table)
            .col(AttemptCounters::ExpiresAt)
            .to_owned();
        manager.create_index(by_expiry).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(AttemptCounters::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(RecoveryCodes::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(TotpFactors::Table).to_owned()).await?;
        manager.alter_table(Table::alter().table(Users::Table).drop_column(Users::MfaEnabled).to_owned()).await
    }
}

fn owned_by_user(table: impl IntoIden + 'static, column: impl IntoIden + 'static) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table.into_iden(), column.into_iden())
        .to(Users::Table, Users::Id)
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}
