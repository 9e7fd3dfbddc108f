//! Signing keys.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::{Expr, OnConflict},
};
use zeroize::Zeroizing;

use super::{Store, entities::signing_key};
use crate::modules::auth::{application::PortError, domain::SigningKey};

/// A key as it is kept.
#[derive(Clone)]
pub(crate) struct KeptKey {
    /// Its id, its algorithm, its life.
    pub(crate) key: SigningKey,
    /// Whether it is the newest of its algorithm; at most one is.
    pub(crate) is_newest: bool,
    /// PKCS#8 (RFC 5958), DER; sealed where a master key is configured, empty once the key is retired.
    pub(crate) private_key: Zeroizing<Vec<u8>>,
    /// The public key as a JWK.
    pub(crate) public_jwk: String,
}

impl Store {
    /// Every key, oldest first.
    pub(crate) async fn keys(&self) -> Result<Vec<KeptKey>, PortError> {
        let find = || {
            signing_key::Entity::find()
                .order_by_asc(signing_key::Column::CreatedAt)
                .order_by_asc(signing_key::Column::Kid)
                .all(self.database.reader())
        };
        let rows = self.database.run("find_signing_keys", find).await?;
        let kept = rows.into_iter().map(|row| KeptKey {
            is_newest: row.active_slot.is_some(),
            private_key: Zeroizing::new(row.private_key),
            public_jwk: row.public_jwk,
            key: SigningKey {
                kid: row.kid,
                algorithm: row.algorithm,
                created_at: row.created_at,
                signs_from: row.signs_from.unwrap_or(row.created_at),
                used_at: row.used_at,
                retired_at: row.retired_at,
            },
        });
        Ok(kept.collect())
    }

    /// Keeps a key as the newest of its algorithm unless it has one; of several instances that start together one wins.
    pub(crate) async fn offer_key(&self, key: &KeptKey) -> Result<(), PortError> {
        self.follow_key(None, key).await.map(drop)
    }

    /// Keeps a key as the newest of its algorithm in the place of `before`; `false`, with nothing changed, when another one
    /// has that place.
    pub(crate) async fn follow_key(&self, before: Option<&str>, key: &KeptKey) -> Result<bool, PortError> {
        let follow = || async {
            let transaction = self.database.begin().await?;
            if let Some(before) = before {
                signing_key::Entity::update_many()
                    .col_expr(signing_key::Column::ActiveSlot, Expr::value(None::<String>))
                    .filter(signing_key::Column::Kid.eq(before))
                    .exec(&transaction)
                    .await?;
            }
            if !insert(&transaction, key).await? {
                return Ok(false);
            }
            transaction.commit().await?;
            Ok(true)
        };
        Ok(self.database.run("insert_signing_key", follow).await?)
    }

    /// Retires a key: its private key is gone. The `successor`, if one is needed, is kept in the same moment; keys of its
    /// algorithm that were published sign from `now`. `false`, with nothing changed, when the key had been retired before.
    pub(crate) async fn retire_key(
        &self,
        kid: &str,
        now: DateTime<Utc>,
        successor: Option<&KeptKey>,
    ) -> Result<bool, PortError> {
        let retire = || async {
            let transaction = self.database.begin().await?;
            let retired = retired(now)
                .filter(signing_key::Column::Kid.eq(kid))
                .filter(signing_key::Column::RetiredAt.is_null())
                .exec(&transaction)
                .await?
                .rows_affected;
            if retired == 0 {
                return Ok(false);
            }
            if let Some(successor) = successor
                && !insert(&transaction, successor).await?
            {
                signing_key::Entity::update_many()
                    .col_expr(signing_key::Column::SignsFrom, now.into())
                    .filter(signing_key::Column::ActiveSlot.eq(successor.key.algorithm.as_str()))
                    .filter(signing_key::Column::SignsFrom.gt(now))
                    .exec(&transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok(true)
        };
        Ok(self.database.run("retire_signing_key", retire).await?)
    }

    /// Notes that a key signs. Keys of which nobody ever said so count as used until now.
    pub(crate) async fn use_key(&self, kid: &str, now: DateTime<Utc>) -> Result<(), PortError> {
        let mark = || async {
            let transaction = self.database.begin().await?;
            signing_key::Entity::update_many()
                .col_expr(signing_key::Column::UsedAt, now.into())
                .filter(
                    Condition::any().add(signing_key::Column::Kid.eq(kid)).add(signing_key::Column::UsedAt.is_null()),
                )
                .filter(signing_key::Column::RetiredAt.is_null())
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("use_signing_key", mark).await?)
    }

    /// Retires every key but `signer` that was last used before `unused_since`, and tells which they were. Keys that are
    /// yet to sign stay.
    pub(crate) async fn retire_unused_keys(
        &self,
        signer: &str,
        now: DateTime<Utc>,
        unused_since: DateTime<Utc>,
    ) -> Result<Vec<String>, PortError> {
        let retire = || async {
            let transaction = self.database.begin().await?;
            let rows = retired(now)
                .filter(signing_key::Column::Kid.ne(signer))
                .filter(signing_key::Column::RetiredAt.is_null())
                .filter(signing_key::Column::UsedAt.lt(unused_since))
                .filter(
                    Condition::any()
                        .add(signing_key::Column::SignsFrom.is_null())
                        .add(signing_key::Column::SignsFrom.lt(unused_since)),
                )
                .exec_with_returning(&transaction)
                .await?;
            transaction.commit().await?;
            Ok::<_, DbErr>(rows.into_iter().map(|row| row.kid).collect())
        };
        Ok(self.database.run("retire_unused_signing_keys", retire).await?)
    }

    /// Replaces the form in which a private key is kept, while it is still kept as `before`.
    pub(crate) async fn reseal_key(&self, kid: &str, before: &[u8], after: &[u8]) -> Result<(), PortError> {
        let reseal = || async {
            let transaction = self.database.begin().await?;
            signing_key::Entity::update_many()
                .col_expr(signing_key::Column::PrivateKey, after.to_vec().into())
                .filter(signing_key::Column::Kid.eq(kid))
                .filter(signing_key::Column::PrivateKey.eq(before.to_vec()))
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("reseal_signing_key", reseal).await?)
    }
}

/// `false` when another key is the newest of the algorithm.
async fn insert(transaction: &impl ConnectionTrait, kept: &KeptKey) -> Result<bool, DbErr> {
    let row = signing_key::ActiveModel {
        kid: Set(kept.key.kid.clone()),
        algorithm: Set(kept.key.algorithm.clone()),
        active_slot: Set(Some(kept.key.algorithm.clone())),
        private_key: Set(kept.private_key.to_vec()),
        public_jwk: Set(kept.public_jwk.clone()),
        created_at: Set(kept.key.created_at),
        signs_from: Set(Some(kept.key.signs_from)),
        used_at: Set(kept.key.used_at),
        retired_at: Set(None),
    };
    let on_conflict = OnConflict::column(signing_key::Column::ActiveSlot).do_nothing().to_owned();
    let inserted =
        signing_key::Entity::insert(row).on_conflict(on_conflict).exec_without_returning(transaction).await?;
    Ok(inserted > 0)
}

/// The update that retires keys.
fn retired(now: DateTime<Utc>) -> sea_orm::UpdateMany<signing_key::Entity> {
    signing_key::Entity::update_many()
        .col_expr(signing_key::Column::RetiredAt, now.into())
        .col_expr(signing_key::Column::ActiveSlot, Expr::value(None::<String>))
        .col_expr(signing_key::Column::PrivateKey, Vec::<u8>::new().into())
}
