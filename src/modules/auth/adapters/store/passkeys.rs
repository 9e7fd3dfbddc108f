//! The store of passkeys.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    Store, corrupt,
    entities::{passkey, user},
};
use crate::{
    kernel::{Page, PageRequest, PasskeyId, UserId},
    modules::auth::{
        application::{PasskeyKept, PasskeyRepository, PortError},
        domain::{DisplayName, Passkey, PasskeyCredential, UserStatus},
    },
    platform::database::DatabaseError,
};

#[async_trait]
impl PasskeyRepository for Store {
    async fn keep_passkey(&self, kept: &Passkey, most: u32) -> Result<PasskeyKept, PortError> {
        let keep = || async {
            let transaction = self.database.begin().await?;
            // Whoever else makes a passkey for this user, or suspends it, waits. The row is written with what it holds.
            let claimed = user::Entity::update_many()
                .col_expr(user::Column::Status, Expr::col(user::Column::Status))
                .filter(user::Column::Id.eq(kept.user_id.0))
                .filter(user::Column::Status.is_in([UserStatus::Active, UserStatus::Pending].map(UserStatus::as_str)))
                .exec(&transaction)
                .await?
                .rows_affected;
            if claimed == 0 {
                return Ok(PasskeyKept::NoOwner);
            }
            let of_user = passkey::Column::UserId.eq(kept.user_id.0);
            if passkey::Entity::find().filter(of_user).count(&transaction).await? >= u64::from(most) {
                return Ok(PasskeyKept::TooMany);
            }
            passkey::Entity::insert(row_of(kept)).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok(PasskeyKept::Kept)
        };
        match self.database.run("keep_passkey", keep).await {
            // The credential is the only thing about a passkey that is unique, besides its random id.
            Err(DatabaseError::Conflict(_)) => Ok(PasskeyKept::Known),
            outcome => Ok(outcome?),
        }
    }

    async fn list_passkeys(&self, user: UserId, page: &PageRequest) -> Result<Page<Passkey>, PortError> {
        let after = page.cursor.as_deref().map(Uuid::parse_str).transpose();
        let after = after.map_err(|_| PortError::Internal("a wrong cursor".to_owned()))?;
        let limit = page.limit.clamp(1, PageRequest::MAX);
        let find = || {
            let mut query = passkey::Entity::find()
                .filter(passkey::Column::UserId.eq(user.0))
                .order_by_asc(passkey::Column::Id)
                .limit(u64::from(limit) + 1);
            if let Some(after) = after {
                query = query.filter(passkey::Column::Id.gt(after));
            }
            query.all(self.database.reader())
        };
        let mut rows = self.database.run("list_passkeys", find).await?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| has_more).map(|row| row.id.to_string());
        Ok(Page { items: rows.into_iter().map(passkey_of).collect::<Result<_, _>>()?, next_cursor })
    }

    async fn passkey_of(&self, credential_id: &str) -> Result<Option<Passkey>, PortError> {
        let find = || {
            let query = passkey::Entity::find().filter(passkey::Column::CredentialId.eq(credential_id));
            query.one(self.database.reader())
        };
        self.database.run("find_passkey", find).await?.map(passkey_of).transpose()
    }

    async fn use_passkey(
        &self,
        id: PasskeyId,
        credential: &PasskeyCredential,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        let count = i64::from(credential.sign_count);
        let mut follows = Condition::any().add(passkey::Column::SignCount.lt(count));
        if count == 0 {
            follows = follows.add(passkey::Column::SignCount.eq(0));
        }
        let note = || async {
            let transaction = self.database.begin().await?;
            let used = passkey::Entity::update_many()
                .col_expr(passkey::Column::SignCount, count.into())
                .col_expr(passkey::Column::IsSynced, credential.is_synced.into())
                .col_expr(passkey::Column::Kept, credential.kept.clone().into())
                .col_expr(passkey::Column::LastUsedAt, now.into())
                .filter(passkey::Column::Id.eq(id.0))
                .filter(follows.clone())
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(used == 1)
        };
        Ok(self.database.run("use_passkey", note).await?)
    }

    async fn remove_passkey(&self, user: UserId, id: PasskeyId) -> Result<bool, PortError> {
        let remove = || async {
            let transaction = self.database.begin().await?;
            let gone = passkey::Entity::delete_many()
                .filter(passkey::Column::Id.eq(id.0))
                .filter(passkey::Column::UserId.eq(user.0))
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(gone == 1)
        };
        Ok(self.database.run("remove_passkey", remove).await?)
    }
}

/// Takes every passkey of a user away.
pub(super) async fn remove_all(connection: &impl ConnectionTrait, user: Uuid) -> Result<(), DbErr> {
    passkey::Entity::delete_many().filter(passkey::Column::UserId.eq(user)).exec(connection).await.map(drop)
}

fn row_of(kept: &Passkey) -> passkey::ActiveModel {
    passkey::ActiveModel {
        id: Set(kept.id.0),
        user_id: Set(kept.user_id.0),
        name: Set(kept.name.as_str().to_owned()),
        credential_id: Set(kept.credential.id.clone()),
        sign_count: Set(kept.credential.sign_count.into()),
        is_synced: Set(kept.credential.is_synced),
        kept: Set(kept.credential.kept.clone()),
        created_at: Set(kept.created_at),
        last_used_at: Set(kept.last_used_at),
    }
}

fn passkey_of(row: passkey::Model) -> Result<Passkey, PortError> {
    Ok(Passkey {
        id: PasskeyId(row.id),
        user_id: UserId(row.user_id),
        name: DisplayName::parse(&row.name).map_err(|_| corrupt("a passkey's name"))?,
        credential: PasskeyCredential {
            id: row.credential_id,
            sign_count: u32::try_from(row.sign_count).map_err(|_| corrupt("a passkey's counter"))?,
            is_synced: row.is_synced,
            kept: row.kept,
        },
        created_at: row.created_at,
        last_used_at: row.last_used_at,
    })
}
