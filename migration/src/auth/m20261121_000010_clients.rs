//! OAuth clients, the tokens they get for themselves, and the assertions they have used.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum OauthClients {
    Table,
    Id,
    Name,
    /// `none`, `client_secret_basic` or `private_key_jwt`.
    AuthMethod,
    SecretHash,
    /// The secret before, while it is good too.
    PreviousSecretHash,
    PreviousSecretUntil,
    /// A JWK Set.
    Jwks,
    /// JSON arrays.
    RedirectUris,
    PostLogoutRedirectUris,
    /// Separated by spaces.
    Grants,
    Scopes,
    CreatedAt,
    UpdatedAt,
}

/// A token that a client got for itself; its id is the token's `sid`.
#[derive(DeriveIden)]
enum ClientGrants {
    Table,
    Id,
    ClientId,
    Scope,
    Audience,
    IssuedAt,
    ExpiresAt,
    RevokedAt,
}

#[derive(DeriveIden)]
enum ClientAssertions {
    Table,
    /// SHA-256 of the client's id and the assertion's `jti`.
    Digest,
    ClientId,
    ExpiresAt,
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    ClientId,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(OauthClients::Table)
                    .col(string(OauthClients::Id).primary_key())
                    .col(string(OauthClients::Name))
                    .col(string(OauthClients::AuthMethod))
                    .col(string_null(OauthClients::SecretHash))
                    .col(string_null(OauthClients::PreviousSecretHash))
                    .col(timestamp_with_time_zone_null(OauthClients::PreviousSecretUntil))
                    .col(text_null(OauthClients::Jwks))
                    .col(text(OauthClients::RedirectUris))
                    .col(text(OauthClients::PostLogoutRedirectUris))
                    .col(text(OauthClients::Grants))
                    .col(text(OauthClients::Scopes))
                    .col(timestamp_with_time_zone(OauthClients::CreatedAt))
                    .col(timestamp_with_time_zone(OauthClients::UpdatedAt))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(ClientGrants::Table)
                    .col(pk_uuid(ClientGrants::Id))
                    .col(string(ClientGrants::ClientId))
                    .col(text(ClientGrants::Scope))
                    .col(string_null(ClientGrants::Audience))
                    .col(timestamp_with_time_zone(ClientGrants::IssuedAt))
                    .col(timestamp_with_time_zone(ClientGrants::ExpiresAt))
                    .col(timestamp_with_time_zone_null(ClientGrants::RevokedAt))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(ClientAssertions::Table)
                    .col(string(ClientAssertions::Digest).primary_key())
                    .col(string(ClientAssertions::ClientId))
                    .col(timestamp_with_time_zone(ClientAssertions::ExpiresAt))
                    .to_owned(),
            )
            .await?;
        let indexes = [
            index("client_grants_by_client").table(ClientGrants::Table).col(ClientGrants::ClientId).to_owned(),
            index("client_grants_by_revocation").table(ClientGrants::Table).col(ClientGrants::RevokedAt).to_owned(),
            index("client_grants_by_expiry").table(ClientGrants::Table).col(ClientGrants::ExpiresAt).to_owned(),
            index("client_assertions_by_expiry")
                .table(ClientAssertions::Table)
                .col(ClientAssertions::ExpiresAt)
                .to_owned(),
            index("sessions_by_client").table(Sessions::Table).col(Sessions::ClientId).to_owned(),
        ];
        for index in indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("sessions_by_client").table(Sessions::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(ClientAssertions::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(ClientGrants::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(OauthClients::Table).to_owned()).await
    }
}

fn index(name: &str) -> IndexCreateStatement {
    Index::create().name(name).to_owned()
}
