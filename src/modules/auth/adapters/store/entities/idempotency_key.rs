//! Answers kept for calls that come again.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) owner: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) key_hash: String,
    pub(crate) fingerprint: String,
    pub(crate) secret_hash: Option<String>,
    pub(crate) sealed_answer: Option<Vec<u8>>,
    pub(crate) claimed_until: ChronoDateTimeUtc,
    pub(crate) expires_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
