//! Authorization codes, as hashes.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "authorization_codes")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) hash: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) scopes: String,
    pub(crate) nonce: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) user_id: Uuid,
    pub(crate) browser_id: Uuid,
    pub(crate) authenticated_at: ChronoDateTimeUtc,
    pub(crate) methods: String,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) expires_at: ChronoDateTimeUtc,
    pub(crate) spent_at: Option<ChronoDateTimeUtc>,
    pub(crate) session_id: Option<Uuid>,
    pub(crate) reused_at: Option<ChronoDateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
