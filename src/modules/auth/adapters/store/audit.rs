//! The audit log.

use async_trait::async_trait;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Store, corrupt,
    entities::audit_entry::{ActiveModel, Column, Entity, Model},
    page,
};
use crate::{
    kernel::{Page, PageRequest},
    modules::auth::{
        application::{AuditFilter, AuditLog, PortError},
        domain::{Actor, AuditEntry, Origin, Outcome},
    },
};

#[async_trait]
impl AuditLog for Store {
    async fn append(&self, entry: &AuditEntry) -> Result<(), PortError> {
        let append = || async {
            let transaction = self.database.begin().await?;
            Entity::insert(row_of(entry)).exec_without_returning(&transaction).await?;
            transaction.commit().await
        };
        Ok(self.database.run("append_audit_entry", append).await?)
    }

    async fn read(&self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>, PortError> {
        let before = page.cursor.as_deref().map(Uuid::parse_str).transpose();
        let before = before.map_err(|_| PortError::Internal("a wrong cursor".to_owned()))?;
        let limit = page.limit.clamp(1, PageRequest::MAX);
        let find = || {
            let mut query = Entity::find().order_by_desc(Column::Id).limit(u64::from(limit) + 1);
            if let Some(before) = before {
                query = query.filter(Column::Id.lt(before));
            }
            if let Some(actor) = &filter.actor {
                query = query.filter(Column::ActorId.eq(actor));
            }
            query = match &filter.action {
                Some(prefix) if prefix.ends_with('.') => query.filter(Column::Action.starts_with(prefix)),
                Some(action) => query.filter(Column::Action.eq(action)),
                None => query,
            };
            if let Some(target) = &filter.target {
                query = query.filter(Column::TargetId.eq(target));
            }
            if let Some(since) = filter.since {
                query = query.filter(Column::At.gte(since));
            }
            if let Some(until) = filter.until {
                query = query.filter(Column::At.lt(until));
            }
            query.all(self.database.reader())
        };
        let rows = self.database.run("read_audit_entries", find).await?;
        page::cut(rows, limit, |row| row.id.to_string(), entry_of)
    }
}

fn row_of(entry: &AuditEntry) -> ActiveModel {
    let (target_kind, target_id) = entry.target.clone().unzip();
    ActiveModel {
        id: Set(entry.id),
        at: Set(entry.at),
        actor_kind: Set(entry.actor.kind().to_owned()),
        actor_id: Set(entry.actor.id()),
        action: Set(entry.action.clone()),
        outcome: Set(entry.outcome.as_str().to_owned()),
        target_kind: Set(target_kind),
        target_id: Set(target_id),
        address: Set(entry.origin.address.map(|address| address.to_string())),
        user_agent: Set(entry.origin.user_agent.clone()),
        request_id: Set(entry.origin.request_id.clone()),
        details: Set(Value::Object(entry.details.clone()).to_string()),
    }
}

fn entry_of(row: Model) -> Result<AuditEntry, PortError> {
    let actor = match (row.actor_kind.as_str(), row.actor_id) {
        ("user", Some(id)) => Actor::User(id.parse().map_err(|_| corrupt("actor_id"))?),
        ("client", Some(id)) => Actor::Client(id),
        ("command-line", _) => Actor::CommandLine,
        ("system", _) => Actor::System,
        ("anonymous", _) => Actor::Anonymous,
        _ => return Err(corrupt("actor_kind")),
    };
    let details: Map<String, Value> = serde_json::from_str(&row.details).map_err(|_| corrupt("details"))?;
    Ok(AuditEntry {
        id: row.id,
        at: row.at,
        actor,
        action: row.action,
        outcome: if row.outcome == Outcome::Success.as_str() { Outcome::Success } else { Outcome::Failure },
        target: row.target_kind.zip(row.target_id),
        origin: Origin {
            address: row.address.and_then(|address| address.parse().ok()),
            user_agent: row.user_agent,
            request_id: row.request_id,
        },
        details,
    })
}
