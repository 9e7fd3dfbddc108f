//! What users allow clients in the browser: the browsers' sessions, requests on their way, codes, consents, devices.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum BrowserSessions {
    Table,
    /// SHA-256 of the cookie.
    Hash,
    SessionId,
}

#[derive(DeriveIden)]
enum Interactions {
    Table,
    /// SHA-256 of the secret that fetches it.
    Hash,
    Kind,
    /// JSON.
    Body,
    CreatedAt,
    ExpiresAt,
}

#[derive(DeriveIden)]
enum AuthorizationCodes {
    Table,
    /// SHA-256 of the code.
    Hash,
    ClientId,
    RedirectUri,
    Challenge,
    /// Separated by spaces.
    Scopes,
    Nonce,
    Resource,
    UserId,
    /// The browser's session.
    BrowserId,
    AuthenticatedAt,
    Methods,
    CreatedAt,
    ExpiresAt,
    SpentAt,
    /// The session that it gave.
    SessionId,
    /// When it first came again after it was spent.
    ReusedAt,
}

#[derive(DeriveIden)]
enum Consents {
    Table,
    UserId,
    ClientId,
    /// Separated by spaces.
    Scopes,
    GrantedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum DeviceGrants {
    Table,
    /// SHA-256 of the device code.
    Hash,
    UserCode,
    ClientId,
    /// Separated by spaces.
    Scopes,
    Resource,
    CreatedAt,
    ExpiresAt,
    /// Seconds between two questions.
    PollInterval,
    PolledAt,
    Status,
    /// Who answered; null while nobody did.
    UserId,
    BrowserId,
    AuthenticatedAt,
    Methods,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for mut table in [
            Table::drop().table(DeviceGrants::Table).take(),
            Table::drop().table(Consents::Table).take(),
            Table::drop().table(AuthorizationCodes::Table).take(),
            Table::drop().table(Interactions::Table).take(),
            Table::drop().table(BrowserSessions::Table).take(),
        ] {
            manager.drop_table(table.take()).await?;
        }
        Ok(())
    }
}

fn tables() -> [TableCreateStatement; 5] {
    [
        Table::create()
            .table(BrowserSessions::Table)
            .col(string(BrowserSessions::Hash).primary_key())
            .col(uuid(BrowserSessions::SessionId))
            .take(),
        Table::create()
            .table(Interactions::Table)
            .col(string(Interactions::Hash).primary_key())
            .col(string(Interactions::Kind))
            .col(text(Interactions::Body))
            .col(timestamp_with_time_zone(Interactions::CreatedAt))
            .col(timestamp_with_time_zone(Interactions::ExpiresAt))
            .take(),
        Table::create()
            .table(AuthorizationCodes::Table)
            .col(string(AuthorizationCodes::Hash).primary_key())
            .col(string(AuthorizationCodes::ClientId))
            .col(text(AuthorizationCodes::RedirectUri))
            .col(string(AuthorizationCodes::Challenge))
            .col(text(AuthorizationCodes::Scopes))
            .col(text_null(AuthorizationCodes::Nonce))
            .col(text_null(AuthorizationCodes::Resource))
            .col(uuid(AuthorizationCodes::UserId))
            .col(uuid(AuthorizationCodes::BrowserId))
            .col(timestamp_with_time_zone(AuthorizationCodes::AuthenticatedAt))
            .col(string(AuthorizationCodes::Methods))
            .col(timestamp_with_time_zone(AuthorizationCodes::CreatedAt))
            .col(timestamp_with_time_zone(AuthorizationCodes::ExpiresAt))
            .col(timestamp_with_time_zone_null(AuthorizationCodes::SpentAt))
            .col(uuid_null(AuthorizationCodes::SessionId))
            .col(timestamp_with_time_zone_null(AuthorizationCodes::ReusedAt))
            .take(),
        Table::create()
            .table(Consents::Table)
            .col(uuid(Consents::UserId))
            .col(string(Consents::ClientId))
            .col(text(Consents::Scopes))
            .col(timestamp_with_time_zone(Consents::GrantedAt))
            .col(timestamp_with_time_zone(Consents::UpdatedAt))
            .primary_key(Index::create().col(Consents::UserId).col(Consents::ClientId))
            .take(),
        Table::create()
            .table(DeviceGrants::Table)
            .col(string(DeviceGrants::Hash).primary_key())
            .col(string(DeviceGrants::UserCode).unique_key())
            .col(string(DeviceGrants::ClientId))
            .col(text(DeviceGrants::Scopes))
            .col(text_null(DeviceGrants::Resource))
            .col(timestamp_with_time_zone(DeviceGrants::CreatedAt))
            .col(timestamp_with_time_zone(DeviceGrants::ExpiresAt))
            .col(integer(DeviceGrants::PollInterval))
            .col(timestamp_with_time_zone_null(DeviceGrants::PolledAt))
            .col(string(DeviceGrants::Status))
            .col(uuid_null(DeviceGrants::UserId))
            .col(uuid_null(DeviceGrants::BrowserId))
            .col(timestamp_with_time_zone_null(DeviceGrants::AuthenticatedAt))
            .col(string_null(DeviceGrants::Methods))
            .take(),
    ]
}

fn indexes() -> [IndexCreateStatement; 7] {
    let codes = |name: &str| Index::create().name(name).table(AuthorizationCodes::Table).take();
    [
        Index::create()
            .name("browser_sessions_by_session")
            .table(BrowserSessions::Table)
            .col(BrowserSessions::SessionId)
            .take(),
        Index::create().name("interactions_by_expiry").table(Interactions::Table).col(Interactions::ExpiresAt).take(),
        codes("authorization_codes_by_browser").col(AuthorizationCodes::BrowserId).take(),
        codes("authorization_codes_by_user").col(AuthorizationCodes::UserId).col(AuthorizationCodes::ClientId).take(),
        codes("authorization_codes_by_expiry").col(AuthorizationCodes::ExpiresAt).take(),
        Index::create().name("consents_by_client").table(Consents::Table).col(Consents::ClientId).take(),
        Index::create().name("device_grants_by_expiry").table(DeviceGrants::Table).col(DeviceGrants::ExpiresAt).take(),
    ]
}
