//! Devices' requests, by the hashes of their codes.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_grants")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) hash: String,
    pub(crate) user_code: String,
    pub(crate) client_id: String,
    pub(crate) scopes: String,
    pub(crate) resource: Option<String>,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) expires_at: ChronoDateTimeUtc,
    pub(crate) poll_interval: i32,
    pub(crate) polled_at: Option<ChronoDateTimeUtc>,
    pub(crate) status: String,
    pub(crate) user_id: Option<Uuid>,
    pub(crate) browser_id: Option<Uuid>,
    pub(crate) authenticated_at: Option<ChronoDateTimeUtc>,
    pub(crate) methods: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
