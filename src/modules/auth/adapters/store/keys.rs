//! Signing keys.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, EntityTrait as _, QueryOrder as _, sea_query::OnConflict};
use zeroize::Zeroizing;

use super::{Store, entities::signing_key};
use crate::modules::auth::application::PortError;

/// A key as it is kept.
#[derive(Clone)]
pub(crate) struct KeptKey {
    /// Its id.
    pub(crate) kid: String,
    /// The algorithm's name.
    pub(crate) algorithm: String,
    /// Whether it signs; at most one of an algorithm does.
    pub(crate) is_active: bool,
    /// PKCS#8 (RFC 5958), DER.
    pub(crate) private_key: Zeroizing<Vec<u8>>,
    /// The public key as a JWK.
    pub(crate) public_jwk: String,
    /// When it was made.
    pub(crate) created_at: DateTime<Utc>,
}

impl Store {
    /// Every key, oldest first.
    pub(crate) async fn keys(&self) -> Result<Vec<KeptKey>, PortError> {
        let find =
            || signing_key::Entity::find().order_by_asc(signing_key::Column::CreatedAt).all(self.database.reader());
        let rows = self.database.run("find_signing_keys", find).await?;
        let kept = rows.into_iter().map(|row| KeptKey {
            is_active: row.active_slot.is_some(),
            kid: row.kid,
            algorithm: row.algorithm,
            private_key: Zeroizing::new(row.private_key),
            public_jwk: row.public_jwk,
            created_at: row.created_at,
        });
        Ok(kept.collect())
    }

    /// Keeps an active key unless its algorithm has one; of several instances that start together one wins.
    pub(crate) async fn offer_key(&self, key: &KeptKey) -> Result<(), PortError> {
        let offer = || async {
            let transaction = self.database.begin().await?;
            let row = signing_key::ActiveModel {
                kid: Set(key.kid.clone()),
                algorithm: Set(key.algorithm.clone()),
                active_slot: Set(Some(key.algorithm.clone())),
                private_key: Set(key.private_key.to_vec()),
                public_jwk: Set(key.public_jwk.clone()),
                created_at: Set(key.created_at),
            };
            let on_conflict = OnConflict::column(signing_key::Column::ActiveSlot).do_nothing().to_owned();
            signing_key::Entity::insert(row).on_conflict(on_conflict).exec_without_returning(&transaction).await?;
            transaction.commit().await
        };
        Ok(self.database.run("offer_signing_key", offer).await?)
    }
}
