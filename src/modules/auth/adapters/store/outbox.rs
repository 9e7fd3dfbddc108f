//! The outbox: rows that are written with the changes they are about, and claimed by compare-and-set.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Alias, Expr, ExprTrait as _, Query},
};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    Store, corrupt,
    entities::outbox_entry::{ActiveModel, Column, Entity, Model},
};
use crate::modules::auth::{
    application::{HeldEntry, Hold, Outbox, PortError},
    domain::{Channel, OutboxEntry},
};

/// How many entries one call tries to get hold of before it asks again which there are.
const CANDIDATES: u64 = 16;
/// How often it asks.
const LOOKS: u32 = 3;

/// How many contents are looked at in one go when they may have to be sealed anew.
const RESEALED_AT_ONCE: u64 = 100;

/// What this process knows of the outbox.
#[derive(Debug)]
pub(super) struct OutboxGate {
    /// How many entries may wait.
    pub(super) most: u64,
    /// Rung when an entry was written here.
    pub(super) bell: Notify,
}

#[async_trait]
impl Outbox for Store {
    async fn put(&self, entry: &OutboxEntry) -> Result<(), PortError> {
        let put = || async {
            let transaction = self.database.begin().await?;
            if !has_room(&transaction, entry.channel, self.outbox.most).await? {
                return Ok(None);
            }
            insert(&transaction, entry).await?;
            transaction.commit().await?;
            Ok(Some(()))
        };
        let put = self.database.run("put_into_outbox", put).await?;
        self.written(put)
    }

    async fn hold(&self, channel: Channel, hold: &Hold) -> Result<Option<HeldEntry>, PortError> {
        for _ in 0..LOOKS {
            let find = || candidates(self.database.reader(), channel, hold.now);
            let found = self.database.run("find_outbox_entry", find).await?;
            if found.is_empty() {
                return Ok(None);
            }
            let claim = || async {
                let transaction = self.database.begin().await?;
                let claimed = claim(&transaction, &found, hold).await?;
                transaction.commit().await?;
                Ok(claimed)
            };
            if let Some(row) = self.database.run("hold_outbox_entry", claim).await? {
                return held(row).map(Some);
            }
        }
        Ok(None)
    }

    async fn keep_hold(&self, id: Uuid, hold: &Hold) -> Result<bool, PortError> {
        let keep = || async {
            let transaction = self.database.begin().await?;
            let kept = Entity::update_many()
                .col_expr(Column::HeldUntil, hold.until.into())
                .filter(Column::Id.eq(id))
                .filter(Column::Holder.eq(hold.holder))
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
            Ok(kept.rows_affected == 1)
        };
        Ok(self.database.run("keep_outbox_entry", keep).await?)
    }

    async fn remove(&self, id: Uuid) -> Result<(), PortError> {
        let remove = || async {
            let transaction = self.database.begin().await?;
            Entity::delete_by_id(id).exec(&transaction).await?;
            transaction.commit().await
        };
        Ok(self.database.run("remove_outbox_entry", remove).await?)
    }

    async fn postpone(&self, id: Uuid, holder: Uuid, due_at: DateTime<Utc>) -> Result<(), PortError> {
        let postpone = || async {
            let transaction = self.database.begin().await?;
            Entity::update_many()
                .col_expr(Column::DueAt, due_at.into())
                .col_expr(Column::Holder, Option::<Uuid>::None.into())
                .col_expr(Column::HeldUntil, Option::<DateTime<Utc>>::None.into())
                .filter(Column::Id.eq(id))
                .filter(Column::Holder.eq(holder))
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("postpone_outbox_entry", postpone).await?)
    }

    async fn waiting(&self, channel: Channel) -> Result<u64, PortError> {
        let count = || Entity::find().filter(Column::Channel.eq(channel.as_str())).count(self.database.reader());
        Ok(self.database.run("count_outbox_entries", count).await?)
    }
}

impl Store {
    /// Until an entry was written here.
    pub(crate) async fn outbox_rung(&self) {
        self.outbox.bell.notified().await;
    }

    /// Says that an entry may wait.
    pub(crate) fn ring_outbox(&self) {
        self.outbox.bell.notify_one();
    }

    /// The contents that are kept, by id, from after this one; a bounded number.
    pub(crate) async fn outbox_contents(&self, after: Option<Uuid>) -> Result<Vec<(Uuid, Vec<u8>)>, PortError> {
        let find = || {
            let mut query = Entity::find().order_by_asc(Column::Id).limit(RESEALED_AT_ONCE);
            if let Some(after) = after {
                query = query.filter(Column::Id.gt(after));
            }
            query.all(self.database.reader())
        };
        let rows = self.database.run("find_outbox_contents", find).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.content)).collect())
    }

    /// Replaces the form in which a content is kept, while it is still this one.
    pub(crate) async fn reseal_outbox(&self, id: Uuid, before: &[u8], after: &[u8]) -> Result<(), PortError> {
        let reseal = || async {
            let transaction = self.database.begin().await?;
            Entity::update_many()
                .col_expr(Column::Content, after.to_vec().into())
                .filter(Column::Id.eq(id))
                .filter(Column::Content.eq(before.to_vec()))
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("reseal_outbox_entry", reseal).await?)
    }

    /// What a transaction gave that may have written an entry; it gave nothing when there was no room for one.
    pub(super) fn written<T>(&self, outcome: Option<T>) -> Result<T, PortError> {
        let outcome = outcome.ok_or_else(|| PortError::Unavailable("too many mails wait to be sent".to_owned()))?;
        self.ring_outbox();
        Ok(outcome)
    }
}

/// Whether one more entry may wait.
pub(super) async fn has_room(connection: &impl ConnectionTrait, channel: Channel, most: u64) -> Result<bool, DbErr> {
    let of_channel = Entity::find().select_only().column(Column::Id).filter(Column::Channel.eq(channel.as_str()));
    let last = of_channel.order_by_asc(Column::Id).offset(most.saturating_sub(1)).limit(1);
    Ok(last.into_tuple::<Uuid>().one(connection).await?.is_none())
}

/// Writes an entry, due at once.
pub(super) async fn insert(connection: &impl ConnectionTrait, entry: &OutboxEntry) -> Result<(), DbErr> {
    let row = ActiveModel {
        id: Set(entry.id),
        channel: Set(entry.channel.as_str().to_owned()),
        key: Set(entry.key.clone()),
        content: Set(entry.content.clone()),
        created_at: Set(entry.created_at),
        due_at: Set(entry.created_at),
        attempts: Set(0),
        holder: Set(None),
        held_until: Set(None),
    };
    Entity::insert(row).exec_without_returning(connection).await.map(drop)
}

/// Writes an entry and takes it away again: the work of a mail that is not to be sent.
pub(super) async fn rehearse(connection: &impl ConnectionTrait, entry: &OutboxEntry) -> Result<(), DbErr> {
    insert(connection, entry).await?;
    Entity::delete_by_id(entry.id).exec(connection).await.map(drop)
}

/// Nobody holds it.
fn is_free(now: DateTime<Utc>) -> Condition {
    Condition::any().add(Column::HeldUntil.is_null()).add(Column::HeldUntil.lte(now))
}

async fn candidates(
    connection: &impl ConnectionTrait,
    channel: Channel,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, DbErr> {
    let older = Alias::new("older");
    let has_older = Query::select()
        .expr(Expr::val(1))
        .from_as(Entity, older.clone())
        .and_where(Expr::col((older.clone(), Column::Channel)).eq(channel.as_str()))
        .and_where(Expr::col((older.clone(), Column::Key)).equals((Entity, Column::Key)))
        .and_where(Expr::col((older, Column::Id)).lt(Expr::col((Entity, Column::Id))))
        .take();
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Channel.eq(channel.as_str()))
        .filter(Column::DueAt.lte(now))
        .filter(is_free(now))
        .filter(Expr::exists(has_older).not())
        .order_by_asc(Column::Id)
        .limit(CANDIDATES)
        .into_tuple()
        .all(connection)
        .await
}

/// The first of these that is still free: the update decides who of several gets it.
async fn claim(connection: &impl ConnectionTrait, ids: &[Uuid], hold: &Hold) -> Result<Option<Model>, DbErr> {
    for id in ids {
        let claimed = Entity::update_many()
            .col_expr(Column::Holder, hold.holder.into())
            .col_expr(Column::HeldUntil, hold.until.into())
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .filter(Column::Id.eq(*id))
            .filter(Column::DueAt.lte(hold.now))
            .filter(is_free(hold.now))
            .exec(connection)
            .await?;
        if claimed.rows_affected == 1 {
            return Entity::find_by_id(*id).one(connection).await;
        }
    }
    Ok(None)
}

fn held(row: Model) -> Result<HeldEntry, PortError> {
    let channel = match row.channel.as_str() {
        "mail" => Channel::Mail,
        _ => return Err(corrupt("channel")),
    };
    let attempts = u32::try_from(row.attempts).map_err(|_| corrupt("attempts"))?;
    let entry = OutboxEntry { id: row.id, channel, key: row.key, content: row.content, created_at: row.created_at };
    Ok(HeldEntry { entry, attempts })
}
