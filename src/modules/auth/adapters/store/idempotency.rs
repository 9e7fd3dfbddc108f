//! Answers kept for calls that come again.

use async_trait::async_trait;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::{
    Store,
    entities::idempotency_key::{ActiveModel, Column, Entity, Model},
};
use crate::modules::auth::{
    application::{Begun, Claim, IdempotencyStore, KeptAnswer, PortError},
    domain::PasswordHash,
};

#[async_trait]
impl IdempotencyStore for Store {
    async fn claim(&self, claim: &Claim) -> Result<Begun, PortError> {
        let begin = || async {
            let transaction = self.database.begin().await?;
            // What has expired, or was given up without an answer, is as if it had never been.
            let is_void = Condition::any()
                .add(Column::ExpiresAt.lte(claim.at))
                .add(Condition::all().add(Column::SealedAnswer.is_null()).add(Column::ClaimedUntil.lte(claim.at)));
            Entity::delete_many().filter(named(claim)).filter(is_void).exec(&transaction).await?;
            let untouched = OnConflict::columns([Column::Owner, Column::KeyHash]).do_nothing().to_owned();
            let insert = Entity::insert(row_of(claim)).on_conflict(untouched);
            let begun = if insert.exec_without_returning(&transaction).await? == 1 {
                Begun::Mine
            } else {
                let row = Entity::find().filter(named(claim)).one(&transaction).await?;
                row.map_or(Begun::UnderWay, |row| begun(row, claim))
            };
            transaction.commit().await?;
            Ok(begun)
        };
        Ok(self.database.run("claim_idempotency_key", begin).await?)
    }

    async fn keep(&self, claim: &Claim, answer: &KeptAnswer) -> Result<(), PortError> {
        let keep = || async {
            let transaction = self.database.begin().await?;
            Entity::update_many()
                .col_expr(Column::SealedAnswer, Expr::value(answer.sealed.clone()))
                .col_expr(
                    Column::SecretHash,
                    Expr::value(answer.secret_hash.as_ref().map(|hash| hash.as_text().to_owned())),
                )
                .filter(mine(claim))
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("keep_idempotent_answer", keep).await?)
    }

    async fn release(&self, claim: &Claim) -> Result<(), PortError> {
        let release = || async {
            let transaction = self.database.begin().await?;
            Entity::delete_many().filter(mine(claim)).exec(&transaction).await?;
            transaction.commit().await
        };
        Ok(self.database.run("release_idempotency_key", release).await?)
    }
}

fn named(claim: &Claim) -> Condition {
    Condition::all().add(Column::Owner.eq(&claim.owner)).add(Column::KeyHash.eq(&claim.key_hash))
}

/// The row while it is this very call's.
fn mine(claim: &Claim) -> Condition {
    named(claim).add(Column::ClaimedUntil.eq(claim.claimed_until)).add(Column::SealedAnswer.is_null())
}

fn begun(row: Model, claim: &Claim) -> Begun {
    if row.fingerprint != claim.fingerprint {
        return Begun::OtherCall;
    }
    let secret_hash = row.secret_hash.map(PasswordHash::from_text);
    row.sealed_answer.map_or(Begun::UnderWay, |sealed| Begun::Answered(KeptAnswer { sealed, secret_hash }))
}

fn row_of(claim: &Claim) -> ActiveModel {
    ActiveModel {
        owner: Set(claim.owner.clone()),
        key_hash: Set(claim.key_hash.clone()),
        fingerprint: Set(claim.fingerprint.clone()),
        secret_hash: Set(None),
        sealed_answer: Set(None),
        claimed_until: Set(claim.claimed_until),
        expires_at: Set(claim.expires_at),
    }
}
