//! API keys.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
    pub(crate) hint: String,
    pub(crate) digest: String,
    pub(crate) scopes: String,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) expires_at: Option<ChronoDateTimeUtc>,
    pub(crate) last_used_at: Option<ChronoDateTimeUtc>,
    pub(crate) revoked_at: Option<ChronoDateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
