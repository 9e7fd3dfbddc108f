//! Users as administrators see and change them.

use async_trait::async_trait;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _, Func, LikeExpr},
};
use uuid::Uuid;

use super::{
    Store, email_tokens,
    entities::{recovery_code, session, totp_factor, user, user_role},
    page, passkeys, roles, sessions,
    users::{roles_of, user_of},
};
use crate::{
    kernel::{Page, PageRequest, UserId},
    modules::auth::{
        application::{Administered, Changed, PortError, UserDirectory, UserFilter},
        domain::{EmailPurpose, RoleName, User, UserChange, UserStatus},
    },
    platform::database::DatabaseError,
};

#[async_trait]
impl UserDirectory for Store {
    async fn list(&self, filter: &UserFilter, page: &PageRequest) -> Result<Page<User>, PortError> {
        let after = page.cursor.as_deref().map(Uuid::parse_str).transpose();
        let after = after.map_err(|_| PortError::Internal("a wrong cursor".to_owned()))?;
        let limit = page.limit.clamp(1, PageRequest::MAX);
        let find = || async {
            let mut query = user::Entity::find()
                .filter(condition(filter))
                .order_by_asc(user::Column::Id)
                .limit(u64::from(limit) + 1);
            if let Some(after) = after {
                query = query.filter(user::Column::Id.gt(after));
            }
            let rows = query.all(self.database.reader()).await?;
            let roles = roles_of(self.database.reader(), rows.iter().map(|row| row.id)).await?;
            Ok((rows, roles))
        };
        let (rows, mut roles) = self.database.run("list_users", find).await?;
        page::cut(
            rows,
            limit,
            |row| row.id.to_string(),
            |row| {
                let roles = roles.remove(&row.id).unwrap_or_default();
                user_of(row, &roles)
            },
        )
    }

    async fn change(&self, wanted: &Administered) -> Result<Changed, PortError> {
        let change = || async {
            let transaction = self.database.begin().await?;
            let outcome = change(&transaction, wanted).await?;
            if matches!(outcome, Changed::Done { .. }) {
                transaction.commit().await?;
            }
            Ok(outcome)
        };
        match self.database.run("change_user", change).await {
            // The address is the only thing about a user that is unique.
            Err(DatabaseError::Conflict(_)) => Ok(Changed::EmailTaken),
            outcome => Ok(outcome?),
        }
    }
}

async fn change(connection: &impl ConnectionTrait, wanted: &Administered) -> Result<Changed, DbErr> {
    let may_take_an_administrator =
        matches!(wanted.change, UserChange::Suspend | UserChange::Delete | UserChange::Roles(_));
    if wanted.keeps_an_administrator && may_take_an_administrator {
        roles::lock_roles(connection).await?;
    }
    if let UserChange::Roles(given) = &wanted.change
        && !roles::hold(connection, given).await?
    {
        return Ok(Changed::UnknownRole);
    }
    let Some(before) = locked(connection, wanted.user).await? else { return Ok(Changed::NotFound) };
    if wanted.unless_changed_since.is_some_and(|read| read != before.updated_at) {
        return Ok(Changed::Stale);
    }
    let mut user = before.clone();
    wanted.change.apply(&mut user, wanted.at);
    let loses_one = before.is_administrator() && !user.is_administrator();
    if wanted.keeps_an_administrator && loses_one && administrators(connection, user.id).await? == 0 {
        return Ok(Changed::LastAdministrator);
    }
    if user != before {
        write(connection, &before, &user).await?;
    }
    let mut ended = Vec::new();
    if let Some(reason) = wanted.change.ends_sessions() {
        let all = session::Column::UserId.eq(user.id.0);
        ended = sessions::end(connection, all, reason, wanted.at, wanted.tokens_until).await?;
    }
    if wanted.change.removes_factors() {
        totp_factor::Entity::delete_by_id(user.id.0).exec(connection).await?;
        recovery_code::Entity::delete_many()
            .filter(recovery_code::Column::UserId.eq(user.id.0))
            .exec(connection)
            .await?;
        passkeys::remove_all(connection, user.id.0).await?;
    }
    if wanted.change.voids_mails(&before) {
        for purpose in [EmailPurpose::Verification, EmailPurpose::PasswordReset] {
            email_tokens::void(connection, user.id.0, purpose).await?;
        }
    }
    Ok(Changed::Done { user, ended })
}

/// The user, whom nobody else changes until the transaction ends: the row is written with what it holds.
async fn locked(connection: &impl ConnectionTrait, id: UserId) -> Result<Option<User>, DbErr> {
    let claimed = user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::col(user::Column::Status))
        .filter(user::Column::Id.eq(id.0))
        .filter(user::Column::Status.ne(UserStatus::Deleted.as_str()))
        .exec(connection)
        .await?;
    if claimed.rows_affected == 0 {
        return Ok(None);
    }
    let Some(row) = user::Entity::find_by_id(id.0).one(connection).await? else { return Ok(None) };
    let roles = roles_of(connection, [row.id].into_iter()).await?.remove(&row.id).unwrap_or_default();
    user_of(row, &roles).map(Some).map_err(|error| DbErr::Custom(error.to_string()))
}

async fn write(connection: &impl ConnectionTrait, before: &User, user: &User) -> Result<(), DbErr> {
    user::Entity::update_many()
        .col_expr(user::Column::Email, user.email.as_str().into())
        .col_expr(user::Column::EmailVerified, user.email_verified.into())
        .col_expr(user::Column::DisplayName, user.display_name.as_ref().map(|name| name.as_str().to_owned()).into())
        .col_expr(user::Column::Status, user.status.as_str().into())
        .col_expr(user::Column::PasswordHash, user.password_hash.as_text().into())
        .col_expr(user::Column::MfaEnabled, user.mfa_enabled.into())
        .col_expr(user::Column::UpdatedAt, user.updated_at.into())
        .filter(user::Column::Id.eq(user.id.0))
        .exec(connection)
        .await?;
    if user.roles == before.roles {
        return Ok(());
    }
    user_role::Entity::delete_many().filter(user_role::Column::UserId.eq(user.id.0)).exec(connection).await?;
    let rows = user
        .roles
        .iter()
        .map(|role| user_role::ActiveModel { user_id: Set(user.id.0), role: Set(role.as_str().to_owned()) });
    if !user.roles.is_empty() {
        user_role::Entity::insert_many(rows).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// How many others can administer.
async fn administrators(connection: &impl ConnectionTrait, but: UserId) -> Result<u64, DbErr> {
    user::Entity::find()
        .filter(user::Column::Id.ne(but.0))
        .filter(user::Column::Status.eq(UserStatus::Active.as_str()))
        .filter(user::Column::Id.in_subquery(holders(&RoleName::admin())))
        .count(connection)
        .await
}

fn holders(role: &RoleName) -> sea_orm::sea_query::SelectStatement {
    user_role::Entity::find()
        .select_only()
        .column(user_role::Column::UserId)
        .filter(user_role::Column::Role.eq(role.as_str()))
        .into_query()
}

fn condition(filter: &UserFilter) -> Condition {
    let mut all = Condition::all().add(match filter.status {
        Some(status) => user::Column::Status.eq(status.as_str()),
        None => user::Column::Status.ne(UserStatus::Deleted.as_str()),
    });
    if let Some(role) = &filter.role {
        all = all.add(user::Column::Id.in_subquery(holders(role)));
    }
    if let Some(text) = &filter.text {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        // SQLite's `lower` knows ASCII alone, so that a name's other letters are looked for as they were typed, too.
        let mut said = Condition::any();
        for text in [escaped.to_lowercase(), escaped.to_ascii_lowercase()] {
            let pattern = || LikeExpr::new(format!("%{text}%")).escape('\\');
            let name = Expr::expr(Func::lower(Expr::col(user::Column::DisplayName)));
            said = said.add(Expr::col(user::Column::Email).like(pattern())).add(name.like(pattern()));
        }
        all = all.add(said);
    }
    all
}
