//! The store of API keys.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, Query},
};
use uuid::Uuid;

use super::{
    Store, corrupt,
    entities::{api_key, user},
    page,
};
use crate::{
    kernel::{ApiKeyId, Page, PageRequest, SessionId, UserId},
    modules::auth::{
        application::{ApiKeyKept, ApiKeyRepository, PortError, RevokedSession},
        domain::{ApiKey, DisplayName, UserStatus},
    },
};

#[async_trait]
impl ApiKeyRepository for Store {
    async fn keep_api_key(&self, key: &ApiKey, digest: &str, most: u32) -> Result<ApiKeyKept, PortError> {
        let keep = || async {
            let transaction = self.database.begin().await?;
            // Whoever else makes a key for this user, or suspends it, waits. The row is written with what it holds.
            let claimed = user::Entity::update_many()
                .col_expr(user::Column::Status, Expr::col(user::Column::Status))
                .filter(user::Column::Id.eq(key.user_id.0))
                .filter(user::Column::Status.is_in([UserStatus::Active, UserStatus::Pending].map(UserStatus::as_str)))
                .exec(&transaction)
                .await?
                .rows_affected;
            if claimed == 0 {
                return Ok(ApiKeyKept::NoOwner);
            }
            let has = api_key::Entity::find()
                .filter(api_key::Column::UserId.eq(key.user_id.0))
                .filter(api_key::Column::RevokedAt.is_null())
                .count(&transaction)
                .await?;
            if has >= u64::from(most) {
                return Ok(ApiKeyKept::TooMany);
            }
            api_key::Entity::insert(row_of(key, digest)).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok(ApiKeyKept::Kept)
        };
        Ok(self.database.run("keep_api_key", keep).await?)
    }

    async fn list_api_keys(&self, user: UserId, page: &PageRequest) -> Result<Page<ApiKey>, PortError> {
        let after = page.cursor.as_deref().map(Uuid::parse_str).transpose();
        let after = after.map_err(|_| PortError::Internal("a wrong cursor".to_owned()))?;
        let limit = page.limit.clamp(1, PageRequest::MAX);
        let find = || {
            let mut query = api_key::Entity::find()
                .filter(api_key::Column::UserId.eq(user.0))
                .filter(api_key::Column::RevokedAt.is_null())
                .order_by_asc(api_key::Column::Id)
                .limit(u64::from(limit) + 1);
            if let Some(after) = after {
                query = query.filter(api_key::Column::Id.gt(after));
            }
            query.all(self.database.reader())
        };
        let rows = self.database.run("list_api_keys", find).await?;
        page::cut(rows, limit, |row| row.id.to_string(), key_of)
    }

    async fn find_api_key(&self, user: UserId, id: ApiKeyId) -> Result<Option<ApiKey>, PortError> {
        self.find_key(Condition::all().add(api_key::Column::Id.eq(id.0)).add(api_key::Column::UserId.eq(user.0))).await
    }

    async fn find_by_digest(&self, digest: &str) -> Result<Option<ApiKey>, PortError> {
        self.find_key(Condition::all().add(api_key::Column::Digest.eq(digest))).await
    }

    async fn revoke_api_key(&self, user: UserId, id: ApiKeyId, now: DateTime<Utc>) -> Result<bool, PortError> {
        let revoke = || async {
            let transaction = self.database.begin().await?;
            let revoked = api_key::Entity::update_many()
                .col_expr(api_key::Column::RevokedAt, now.into())
                .filter(api_key::Column::Id.eq(id.0))
                .filter(api_key::Column::UserId.eq(user.0))
                .filter(api_key::Column::RevokedAt.is_null())
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(revoked == 1)
        };
        Ok(self.database.run("revoke_api_key", revoke).await?)
    }

    async fn note_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), PortError> {
        let is_older =
            Condition::any().add(api_key::Column::LastUsedAt.is_null()).add(api_key::Column::LastUsedAt.lt(at));
        let note = || async {
            let transaction = self.database.begin().await?;
            api_key::Entity::update_many()
                .col_expr(api_key::Column::LastUsedAt, at.into())
                .filter(api_key::Column::Id.eq(id.0))
                .filter(is_older.clone())
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("note_api_key_use", note).await?)
    }

    async fn stopped_api_keys(
        &self,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, PortError> {
        let stopped_users = Query::select()
            .column(user::Column::Id)
            .from(user::Entity)
            .and_where(user::Column::UpdatedAt.gte(since))
            .and_where(user::Column::Status.is_in([UserStatus::Suspended, UserStatus::Deleted].map(UserStatus::as_str)))
            .to_owned();
        let is_stopped = Condition::any()
            .add(api_key::Column::RevokedAt.gte(since))
            .add(api_key::Column::UserId.in_subquery(stopped_users));
        let find = || {
            let ids = api_key::Entity::find().select_only().column(api_key::Column::Id).filter(is_stopped.clone());
            ids.into_tuple::<Uuid>().all(self.database.reader())
        };
        let ids = self.database.run("find_stopped_api_keys", find).await?;
        Ok(ids.into_iter().map(|id| (SessionId(id), until)).collect())
    }
}

impl Store {
    /// The key that is meant, unless it was revoked.
    async fn find_key(&self, which: Condition) -> Result<Option<ApiKey>, PortError> {
        let find = || {
            let query = api_key::Entity::find().filter(which.clone()).filter(api_key::Column::RevokedAt.is_null());
            query.one(self.database.reader())
        };
        self.database.run("find_api_key", find).await?.map(key_of).transpose()
    }
}

fn row_of(key: &ApiKey, digest: &str) -> api_key::ActiveModel {
    api_key::ActiveModel {
        id: Set(key.id.0),
        user_id: Set(key.user_id.0),
        name: Set(key.name.as_str().to_owned()),
        hint: Set(key.hint.clone()),
        digest: Set(digest.to_owned()),
        scopes: Set(key.scopes.iter().cloned().collect::<Vec<_>>().join(" ")),
        created_at: Set(key.created_at),
        expires_at: Set(key.expires_at),
        last_used_at: Set(key.last_used_at),
        revoked_at: Set(None),
    }
}

fn key_of(row: api_key::Model) -> Result<ApiKey, PortError> {
    Ok(ApiKey {
        id: ApiKeyId(row.id),
        user_id: UserId(row.user_id),
        name: DisplayName::parse(&row.name).map_err(|_| corrupt("an API key's name"))?,
        hint: row.hint,
        scopes: row.scopes.split_ascii_whitespace().map(str::to_owned).collect(),
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    })
}
