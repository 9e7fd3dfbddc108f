//! What browsers and clients left with us.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, Select};

use super::{Store, entities::interaction};
use crate::modules::auth::{
    application::{InteractionRepository, PortError},
    domain::{Interaction, InteractionKind},
};

#[async_trait]
impl InteractionRepository for Store {
    async fn keep(&self, left: &Interaction) -> Result<(), PortError> {
        let keep = || async {
            let transaction = self.database.begin().await?;
            let row = interaction::ActiveModel {
                hash: Set(left.hash.clone()),
                kind: Set(left.kind.as_str().to_owned()),
                body: Set(left.body.clone()),
                created_at: Set(left.created_at),
                expires_at: Set(left.expires_at),
            };
            interaction::Entity::insert(row).exec_without_returning(&transaction).await?;
            transaction.commit().await
        };
        Ok(self.database.run("insert_interaction", keep).await?)
    }

    async fn find(
        &self,
        kind: InteractionKind,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Interaction>, PortError> {
        let find = || alive(kind, hash, now).one(self.database.reader());
        Ok(self.database.run("find_interaction", find).await?.map(|row| interaction_of(row, kind)))
    }

    async fn take(
        &self,
        kind: InteractionKind,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Interaction>, PortError> {
        let take = || async {
            let transaction = self.database.begin().await?;
            let Some(row) = alive(kind, hash, now).one(&transaction).await? else { return Ok(None) };
            // The deletion decides who of several wins.
            let gone = interaction::Entity::delete_by_id(row.hash.clone()).exec(&transaction).await?.rows_affected;
            transaction.commit().await?;
            Ok((gone == 1).then_some(row))
        };
        Ok(self.database.run("take_interaction", take).await?.map(|row| interaction_of(row, kind)))
    }
}

fn alive(kind: InteractionKind, hash: &str, now: DateTime<Utc>) -> Select<interaction::Entity> {
    interaction::Entity::find_by_id(hash.to_owned())
        .filter(interaction::Column::Kind.eq(kind.as_str()))
        .filter(interaction::Column::ExpiresAt.gt(now))
}

fn interaction_of(row: interaction::Model, kind: InteractionKind) -> Interaction {
    Interaction { hash: row.hash, kind, body: row.body, created_at: row.created_at, expires_at: row.expires_at }
}
