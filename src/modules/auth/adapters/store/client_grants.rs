//! Tokens that clients got for themselves.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    sea_query::Expr,
};
use uuid::Uuid;

use super::{
    Store,
    entities::{
        client_assertion,
        client_grant::{ActiveModel, Column, Entity, Model},
        oauth_client,
    },
};
use crate::{
    kernel::SessionId,
    modules::auth::{
        application::{ClientGrantRepository, PortError, RevokedSession},
        domain::ClientGrant,
    },
};

#[async_trait]
impl ClientGrantRepository for Store {
    async fn insert_grant(&self, grant: &ClientGrant) -> Result<bool, PortError> {
        let insert = || async {
            let transaction = self.database.begin().await?;
            if !has_client(&transaction, &grant.client_id).await? {
                return Ok(false);
            }
            let row = ActiveModel {
                id: Set(grant.id.0),
                client_id: Set(grant.client_id.clone()),
                scope: Set(grant.scope.clone()),
                audience: Set(grant.audience.clone()),
                issued_at: Set(grant.issued_at),
                expires_at: Set(grant.expires_at),
                revoked_at: Set(grant.revoked_at),
            };
            Entity::insert(row).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok(true)
        };
        Ok(self.database.run("insert_client_grant", insert).await?)
    }

    async fn find_grant(&self, id: SessionId) -> Result<Option<ClientGrant>, PortError> {
        let find = || Entity::find_by_id(id.0).one(self.database.reader());
        Ok(self.database.run("find_client_grant", find).await?.map(grant_of))
    }

    async fn revoke_grant(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<RevokedSession>, PortError> {
        let revoke = || async {
            let transaction = self.database.begin().await?;
            let rows = Entity::update_many()
                .col_expr(Column::RevokedAt, Expr::value(now))
                .filter(Column::Id.eq(id.0))
                .filter(Column::RevokedAt.is_null())
                .exec_with_returning(&transaction)
                .await?;
            transaction.commit().await?;
            Ok(rows.into_iter().next().map(|row| (SessionId(row.id), row.expires_at)))
        };
        Ok(self.database.run("revoke_client_grant", revoke).await?)
    }
}

impl Store {
    /// The grants revoked at or after `since` whose tokens may look valid at `now`, each with when it was revoked.
    pub(super) async fn revoked_grants(
        &self,
        since: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(DateTime<Utc>, RevokedSession)>, PortError> {
        let find = || {
            let mut query = Entity::find().filter(Column::RevokedAt.is_not_null()).filter(Column::ExpiresAt.gt(now));
            if let Some(since) = since {
                query = query.filter(Column::RevokedAt.gte(since));
            }
            query.all(self.database.reader())
        };
        let rows = self.database.run("find_revoked_client_grants", find).await?;
        Ok(rows.into_iter().filter_map(|row| Some((row.revoked_at?, (SessionId(row.id), row.expires_at)))).collect())
    }

    /// Takes away one batch of grants and assertions that have expired; `true` when there may be more.
    pub(super) async fn purge_client_grants(
        &self,
        now: DateTime<Utc>,
        kept: TimeDelta,
        batch: u64,
    ) -> Result<bool, PortError> {
        let purge = || async {
            let transaction = self.database.begin().await?;
            let grants: Vec<Uuid> = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(Column::ExpiresAt.lt(now - kept))
                .limit(batch)
                .into_tuple()
                .all(&transaction)
                .await?;
            let assertions: Vec<String> = client_assertion::Entity::find()
                .select_only()
                .column(client_assertion::Column::Digest)
                .filter(client_assertion::Column::ExpiresAt.lt(now))
                .limit(batch)
                .into_tuple()
                .all(&transaction)
                .await?;
            let is_full = grants.len() as u64 == batch || assertions.len() as u64 == batch;
            Entity::delete_many().filter(Column::Id.is_in(grants)).exec(&transaction).await?;
            let spent = client_assertion::Column::Digest.is_in(assertions);
            client_assertion::Entity::delete_many().filter(spent).exec(&transaction).await?;
            transaction.commit().await?;
            Ok(is_full)
        };
        Ok(self.database.run("purge_client_grants", purge).await?)
    }
}

/// Whether a client is there, and stays until the transaction ends.
pub(super) async fn has_client(connection: &impl ConnectionTrait, id: &str) -> Result<bool, DbErr> {
    let found: Option<String> = oauth_client::Entity::find_by_id(id)
        .select_only()
        .column(oauth_client::Column::Id)
        .lock_shared()
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.is_some())
}

fn grant_of(row: Model) -> ClientGrant {
    ClientGrant {
        id: SessionId(row.id),
        client_id: row.client_id,
        scope: row.scope,
        audience: row.audience,
        issued_at: row.issued_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
    }
}
