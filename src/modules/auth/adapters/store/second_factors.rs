//! The store of second factors.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};
use uuid::Uuid;

use super::{
    Store,
    entities::{recovery_code, totp_factor, user},
};
use crate::{
    kernel::UserId,
    modules::auth::application::{Confirmation, KeptTotp, PortError, SecondFactorRepository},
};

/// The secrets that are looked at together.
const BATCH: u64 = 200;

#[async_trait]
impl SecondFactorRepository for Store {
    async fn offer_totp(&self, user: UserId, sealed: &[u8], now: DateTime<Utc>) -> Result<bool, PortError> {
        let offer = || async {
            let transaction = self.database.begin().await?;
            let row = totp_factor::ActiveModel {
                user_id: Set(user.0),
                secret: Set(sealed.to_vec()),
                created_at: Set(now),
                confirmed_at: Set(None),
                last_step: Set(None),
            };
            let replace_waiting = OnConflict::column(totp_factor::Column::UserId)
                .update_columns([totp_factor::Column::Secret, totp_factor::Column::CreatedAt])
                .action_and_where(totp_factor::Column::ConfirmedAt.is_null())
                .to_owned();
            let kept = totp_factor::Entity::insert(row)
                .on_conflict(replace_waiting)
                .exec_without_returning(&transaction)
                .await?;
            transaction.commit().await?;
            Ok(kept == 1)
        };
        Ok(self.database.run("offer_totp", offer).await?)
    }

    async fn totp(&self, user: UserId) -> Result<Option<KeptTotp>, PortError> {
        let find = || totp_factor::Entity::find_by_id(user.0).one(self.database.reader());
        let row = self.database.run("find_totp", find).await?;
        Ok(row.map(|row| KeptTotp { sealed: row.secret, is_on: row.confirmed_at.is_some() }))
    }

    async fn confirm_totp(&self, confirmation: &Confirmation) -> Result<bool, PortError> {
        let confirm = || async {
            let transaction = self.database.begin().await?;
            let turned_on = totp_factor::Entity::update_many()
                .col_expr(totp_factor::Column::ConfirmedAt, confirmation.at.into())
                .col_expr(totp_factor::Column::LastStep, confirmation.step.into())
                .filter(totp_factor::Column::UserId.eq(confirmation.user.0))
                .filter(totp_factor::Column::Secret.eq(confirmation.sealed.clone()))
                .filter(totp_factor::Column::ConfirmedAt.is_null())
                .exec(&transaction)
                .await?
                .rows_affected;
            if turned_on == 0 {
                return Ok(false);
            }
            replace_codes(&transaction, confirmation.user.0, &confirmation.recovery_codes).await?;
            note_at_user(&transaction, confirmation.user.0, true, confirmation.at).await?;
            transaction.commit().await?;
            Ok(true)
        };
        Ok(self.database.run("confirm_totp", confirm).await?)
    }

    async fn spend_step(&self, user: UserId, step: i64) -> Result<bool, PortError> {
        let is_newer = totp_factor::Column::LastStep.is_null().or(totp_factor::Column::LastStep.lt(step));
        let spend = || async {
            let transaction = self.database.begin().await?;
            let spent = totp_factor::Entity::update_many()
                .col_expr(totp_factor::Column::LastStep, step.into())
                .filter(totp_factor::Column::UserId.eq(user.0))
                .filter(totp_factor::Column::ConfirmedAt.is_not_null())
                .filter(is_newer.clone())
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(spent == 1)
        };
        Ok(self.database.run("spend_totp_step", spend).await?)
    }

    async fn spend_recovery_code(&self, user: UserId, hash: &str) -> Result<Option<u64>, PortError> {
        let spend = || async {
            let transaction = self.database.begin().await?;
            let spent = recovery_code::Entity::delete_by_id((user.0, hash.to_owned())).exec(&transaction).await?;
            if spent.rows_affected == 0 {
                return Ok(None);
            }
            let left = codes_left(&transaction, user.0).await?;
            transaction.commit().await?;
            Ok(Some(left))
        };
        Ok(self.database.run("spend_recovery_code", spend).await?)
    }

    async fn recovery_codes_left(&self, user: UserId) -> Result<u64, PortError> {
        let count = || codes_left(self.database.reader(), user.0);
        Ok(self.database.run("count_recovery_codes", count).await?)
    }

    async fn replace_recovery_codes(&self, user: UserId, hashes: &[String]) -> Result<bool, PortError> {
        let replace = || async {
            let transaction = self.database.begin().await?;
            // Who else replaces them, or takes the factor away, waits. The row is written with what it holds.
            let is_on = totp_factor::Entity::update_many()
                .col_expr(totp_factor::Column::CreatedAt, Expr::col(totp_factor::Column::CreatedAt))
                .filter(totp_factor::Column::UserId.eq(user.0))
                .filter(totp_factor::Column::ConfirmedAt.is_not_null())
                .exec(&transaction)
                .await?
                .rows_affected;
            if is_on == 0 {
                return Ok(false);
            }
            replace_codes(&transaction, user.0, hashes).await?;
            transaction.commit().await?;
            Ok(true)
        };
        Ok(self.database.run("replace_recovery_codes", replace).await?)
    }

    async fn remove_totp(&self, user: UserId, now: DateTime<Utc>) -> Result<bool, PortError> {
        let remove = || async {
            let transaction = self.database.begin().await?;
            let removed = totp_factor::Entity::delete_many()
                .filter(totp_factor::Column::UserId.eq(user.0))
                .filter(totp_factor::Column::ConfirmedAt.is_not_null())
                .exec(&transaction)
                .await?
                .rows_affected;
            if removed == 0 {
                return Ok(false);
            }
            replace_codes(&transaction, user.0, &[]).await?;
            note_at_user(&transaction, user.0, false, now).await?;
            transaction.commit().await?;
            Ok(true)
        };
        Ok(self.database.run("remove_totp", remove).await?)
    }
}

impl Store {
    /// The kept secrets of the users after one, by user, a bounded number at a time.
    pub(crate) async fn totp_secrets(&self, after: Option<UserId>) -> Result<Vec<(UserId, Vec<u8>)>, PortError> {
        let find = || {
            let mut query = totp_factor::Entity::find().order_by_asc(totp_factor::Column::UserId).limit(BATCH);
            if let Some(after) = after {
                query = query.filter(totp_factor::Column::UserId.gt(after.0));
            }
            query.all(self.database.reader())
        };
        let rows = self.database.run("find_totp_secrets", find).await?;
        Ok(rows.into_iter().map(|row| (UserId(row.user_id), row.secret)).collect())
    }

    /// Replaces the form in which a secret is kept, while it is still this one.
    pub(crate) async fn reseal_totp(&self, user: UserId, before: &[u8], after: &[u8]) -> Result<(), PortError> {
        let reseal = || async {
            let transaction = self.database.begin().await?;
            totp_factor::Entity::update_many()
                .col_expr(totp_factor::Column::Secret, after.to_vec().into())
                .filter(totp_factor::Column::UserId.eq(user.0))
                .filter(totp_factor::Column::Secret.eq(before.to_vec()))
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("reseal_totp", reseal).await?)
    }
}

async fn codes_left(connection: &impl ConnectionTrait, user: Uuid) -> Result<u64, DbErr> {
    recovery_code::Entity::find().filter(recovery_code::Column::UserId.eq(user)).count(connection).await
}

async fn replace_codes(connection: &impl ConnectionTrait, user: Uuid, hashes: &[String]) -> Result<(), DbErr> {
    recovery_code::Entity::delete_many().filter(recovery_code::Column::UserId.eq(user)).exec(connection).await?;
    if hashes.is_empty() {
        return Ok(());
    }
    let rows =
        hashes.iter().map(|hash| recovery_code::ActiveModel { user_id: Set(user), code_hash: Set(hash.clone()) });
    recovery_code::Entity::insert_many(rows).exec_without_returning(connection).await.map(drop)
}

async fn note_at_user(
    connection: &impl ConnectionTrait,
    user: Uuid,
    is_enabled: bool,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    user::Entity::update_many()
        .col_expr(user::Column::MfaEnabled, is_enabled.into())
        .col_expr(user::Column::UpdatedAt, now.into())
        .filter(user::Column::Id.eq(user))
        .exec(connection)
        .await
        .map(drop)
}
