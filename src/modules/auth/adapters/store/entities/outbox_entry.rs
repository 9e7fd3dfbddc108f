//! What is on its way out.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox_entries")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) channel: String,
    pub(crate) key: String,
    pub(crate) content: Vec<u8>,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) due_at: ChronoDateTimeUtc,
    pub(crate) attempts: i32,
    pub(crate) holder: Option<Uuid>,
    pub(crate) held_until: Option<ChronoDateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
