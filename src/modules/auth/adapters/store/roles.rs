//! Roles.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::{
    Store, corrupt,
    entities::{
        role::{ActiveModel, Column, Entity, Model},
        user_role,
    },
};
use crate::modules::auth::{
    application::{PortError, RemovedRole, RoleRepository, SavedRole},
    domain::{RemovalRefusal, Role, RoleCatalog, RoleName},
};

#[async_trait]
impl RoleRepository for Store {
    async fn catalog(&self) -> Result<RoleCatalog, PortError> {
        let find = || Entity::find().all(self.database.reader());
        catalog_of(self.database.run("find_roles", find).await?)
    }

    async fn save(
        &self,
        name: &RoleName,
        role: &Role,
        unless_changed: Option<&Role>,
        now: DateTime<Utc>,
    ) -> Result<SavedRole, PortError> {
        let row = row_of(name, role, now)?;
        let save = || async {
            let transaction = self.database.begin().await?;
            lock_roles(&transaction).await?;
            let mut catalog = catalog_of(Entity::find().all(&transaction).await?).map_err(unreadable)?;
            if unless_changed.is_some_and(|read| catalog.0.get(name) != Some(read)) {
                return Ok(SavedRole::Stale);
            }
            let is_new = match catalog.put(name, role.clone()) {
                Ok(is_new) => is_new,
                Err(faults) => return Ok(SavedRole::Refused(faults)),
            };
            let replace = OnConflict::column(Column::Name)
                .update_columns([Column::Permissions, Column::Inherits, Column::UpdatedAt])
                .to_owned();
            Entity::insert(row.clone()).on_conflict(replace).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok(if is_new { SavedRole::Created } else { SavedRole::Replaced })
        };
        Ok(self.database.run("save_role", save).await?)
    }

    async fn remove(&self, name: &RoleName, unless_changed: Option<&Role>) -> Result<RemovedRole, PortError> {
        let remove = || async {
            let transaction = self.database.begin().await?;
            lock_roles(&transaction).await?;
            let mut catalog = catalog_of(Entity::find().all(&transaction).await?).map_err(unreadable)?;
            let kept = catalog.0.get(name).cloned();
            if let Err(refusal) = catalog.remove(name) {
                return Ok(RemovedRole::Refused(refusal));
            }
            if unless_changed.is_some_and(|read| kept.as_ref() != Some(read)) {
                return Ok(RemovedRole::Stale);
            }
            // The row goes first: whoever gives the role at this moment comes before, and is seen, or finds it gone.
            if Entity::delete_by_id(name.as_str()).exec(&transaction).await?.rows_affected == 0 {
                return Ok(RemovedRole::Refused(RemovalRefusal::NotFound));
            }
            let holders = user_role::Entity::find().filter(user_role::Column::Role.eq(name.as_str()));
            if holders.count(&transaction).await? > 0 {
                return Ok(RemovedRole::Held);
            }
            transaction.commit().await?;
            Ok(RemovedRole::Removed)
        };
        Ok(self.database.run("remove_role", remove).await?)
    }
}

/// Who changes roles, or takes an administrator away, does so one after the other: all write this row with what it holds.
pub(super) async fn lock_roles(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    claim(connection, &[RoleName::admin()]).await.map(drop)
}

/// Keeps roles from being removed until the transaction ends; `false` when one does not exist. The built-in ones cannot
/// be removed, so that nobody waits for anybody there.
pub(super) async fn hold(connection: &impl ConnectionTrait, roles: &[RoleName]) -> Result<bool, DbErr> {
    let roles: BTreeSet<_> = roles.iter().filter(|role| !role.is_built_in()).cloned().collect();
    let roles: Vec<_> = roles.into_iter().collect();
    Ok(roles.is_empty() || claim(connection, &roles).await? == roles.len() as u64)
}

async fn claim(connection: &impl ConnectionTrait, roles: &[RoleName]) -> Result<u64, DbErr> {
    let claim = Entity::update_many()
        .col_expr(Column::Name, Expr::col(Column::Name))
        .filter(Column::Name.is_in(roles.iter().map(RoleName::as_str)));
    Ok(claim.exec(connection).await?.rows_affected)
}

fn catalog_of(rows: Vec<Model>) -> Result<RoleCatalog, PortError> {
    let kept = rows.into_iter().map(|row| {
        let name = RoleName::parse(&row.name).map_err(|_| corrupt("roles.name"))?;
        let permissions = serde_json::from_str(&row.permissions).map_err(|_| corrupt("roles.permissions"))?;
        let inherits: Vec<String> = serde_json::from_str(&row.inherits).map_err(|_| corrupt("roles.inherits"))?;
        let inherits = inherits.iter().map(|parent| RoleName::parse(parent)).collect::<Result<_, _>>();
        Ok((name, Role { permissions, inherits: inherits.map_err(|_| corrupt("roles.inherits"))? }))
    });
    Ok(RoleCatalog::with_kept(kept.collect::<Result<Vec<_>, PortError>>()?))
}

fn row_of(name: &RoleName, role: &Role, now: DateTime<Utc>) -> Result<ActiveModel, PortError> {
    let unwritable = |error: serde_json::Error| PortError::Internal(error.to_string());
    let inherits: Vec<_> = role.inherits.iter().map(RoleName::as_str).collect();
    Ok(ActiveModel {
        name: Set(name.as_str().to_owned()),
        permissions: Set(serde_json::to_string(&role.permissions).map_err(unwritable)?),
        inherits: Set(serde_json::to_string(&inherits).map_err(unwritable)?),
        updated_at: Set(now),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn unreadable(error: PortError) -> DbErr {
    DbErr::Custom(error.to_string())
}
