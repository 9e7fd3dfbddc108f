//! Counters of failed attempts, which all instances share.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    sea_query::{ExprTrait as _, OnConflict},
};

use super::{
    Store,
    entities::attempt_counter::{ActiveModel, Column, Entity, Model},
};
use crate::modules::auth::{
    application::{AttemptCounters, PortError},
    domain::{Failures, LockoutRule},
};

#[async_trait]
impl AttemptCounters for Store {
    async fn failures(&self, ids: &[String]) -> Result<Vec<Failures>, PortError> {
        let find = || Entity::find().filter(Column::Id.is_in(ids)).all(self.database.reader());
        let rows = self.database.run("find_attempt_counters", find).await?;
        let mut known: HashMap<_, _> = rows.into_iter().map(|row| (row.id.clone(), failures_of(&row))).collect();
        Ok(ids.iter().map(|id| known.remove(id).unwrap_or_default()).collect())
    }

    async fn fail(&self, ids: &[(String, LockoutRule)], now: DateTime<Utc>) -> Result<Vec<Failures>, PortError> {
        let fail = || async {
            let transaction = self.database.begin().await?;
            let mut counted = Vec::with_capacity(ids.len());
            for (id, rule) in ids {
                counted.push(count(&transaction, id, *rule, now).await?);
            }
            transaction.commit().await?;
            Ok(counted)
        };
        Ok(self.database.run("count_failed_attempt", fail).await?)
    }

    async fn forgive(&self, id: &str, now: DateTime<Utc>) -> Result<(), PortError> {
        let is_free = Column::LockedUntil.is_null().or(Column::LockedUntil.lte(now));
        let forgive = || async {
            let transaction = self.database.begin().await?;
            Entity::delete_many().filter(Column::Id.eq(id)).filter(is_free.clone()).exec(&transaction).await?;
            transaction.commit().await
        };
        Ok(self.database.run("forgive_failed_attempts", forgive).await?)
    }
}

async fn count(
    connection: &impl ConnectionTrait,
    id: &str,
    rule: LockoutRule,
    now: DateTime<Utc>,
) -> Result<Failures, DbErr> {
    let new = ActiveModel {
        id: Set(id.to_owned()),
        failures: Set("[]".to_owned()),
        locked_until: Set(None),
        expires_at: Set(now),
    };
    // The row is there afterwards, and whoever else counts waits for it: written with what it holds, or new.
    let on_conflict = OnConflict::column(Column::Id).update_column(Column::Id).to_owned();
    Entity::insert(new).on_conflict(on_conflict).exec_without_returning(connection).await?;
    let row = Entity::find_by_id(id).one(connection).await?;
    let mut failures = row.as_ref().map(failures_of).unwrap_or_default();
    failures.note(rule, now);
    let at: Vec<_> = failures.at.iter().map(DateTime::timestamp_micros).collect();
    Entity::update_many()
        .col_expr(Column::Failures, serde_json::json!(at).to_string().into())
        .col_expr(Column::LockedUntil, failures.locked_until.into())
        .col_expr(Column::ExpiresAt, failures.expires_at(rule).unwrap_or(now).into())
        .filter(Column::Id.eq(id))
        .exec(connection)
        .await?;
    Ok(failures)
}

/// A list that cannot be read counts for nothing; a lock does.
fn failures_of(row: &Model) -> Failures {
    let at: Vec<i64> = serde_json::from_str(&row.failures).unwrap_or_default();
    Failures {
        at: at.into_iter().filter_map(DateTime::from_timestamp_micros).collect(),
        locked_until: row.locked_until,
    }
}
