//! Login sessions.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) client_id: String,
    pub(crate) scope: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) authenticated_at: Option<ChronoDateTimeUtc>,
    pub(crate) methods: Option<String>,
    pub(crate) ends_at: Option<ChronoDateTimeUtc>,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) expires_at: ChronoDateTimeUtc,
    pub(crate) generation: i64,
    pub(crate) rotated_at: Option<ChronoDateTimeUtc>,
    pub(crate) sealed_successor: Option<Vec<u8>>,
    pub(crate) access_expires_at: ChronoDateTimeUtc,
    pub(crate) revoked_at: Option<ChronoDateTimeUtc>,
    pub(crate) revoked_until: Option<ChronoDateTimeUtc>,
    pub(crate) revoked_reason: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) address: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
