//! The session store.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, SimpleExpr},
};

use uuid::Uuid;

use super::{
    Store,
    client_grants::has_client,
    corrupt,
    entities::{session, user},
    page,
};
use crate::{
    kernel::{FIRST_PARTY, Page, PageRequest, SessionId, UserId},
    modules::auth::{
        application::{PortError, RevokedSession, Rotation, SessionRepository},
        domain::{Device, PasswordHash, Session, UserStatus},
    },
};

#[async_trait]
impl SessionRepository for Store {
    async fn insert(&self, session: &Session, password: Option<&PasswordHash>) -> Result<bool, PortError> {
        let insert = || async {
            let transaction = self.database.begin().await?;
            if !insert(&transaction, session, password).await? {
                return Ok(false);
            }
            transaction.commit().await?;
            Ok(true)
        };
        Ok(self.database.run("insert_session", insert).await?)
    }

    async fn list_alive(
        &self,
        user: UserId,
        page: &PageRequest,
        now: DateTime<Utc>,
    ) -> Result<Page<Session>, PortError> {
        let after = page.cursor.as_deref().map(Uuid::parse_str).transpose();
        let after = after.map_err(|_| PortError::Internal("a wrong cursor".to_owned()))?;
        let limit = page.limit.clamp(1, PageRequest::MAX);
        let find = || {
            let mut query = session::Entity::find()
                .filter(session::Column::UserId.eq(user.0))
                .filter(session::Column::RevokedAt.is_null())
                .filter(session::Column::ExpiresAt.gt(now))
                .order_by_asc(session::Column::Id)
                .limit(u64::from(limit) + 1);
            if let Some(after) = after {
                query = query.filter(session::Column::Id.gt(after));
            }
            query.all(self.database.reader())
        };
        let rows = self.database.run("list_sessions", find).await?;
        page::cut(rows, limit, |row| row.id.to_string(), |row| Ok(session_of(row)))
    }

    async fn find(&self, id: SessionId) -> Result<Option<Session>, PortError> {
        let find = || session::Entity::find_by_id(id.0).one(self.database.reader());
        Ok(self.database.run("find_session", find).await?.map(session_of))
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<bool, PortError> {
        let rotate = || async {
            let transaction = self.database.begin().await?;
            let changed = session::Entity::update_many()
                .col_expr(session::Column::Generation, (rotation.spent + 1).into())
                .col_expr(session::Column::RotatedAt, rotation.at.into())
                .col_expr(session::Column::SealedSuccessor, rotation.sealed_successor.clone().into())
                .col_expr(session::Column::ExpiresAt, rotation.expires_at.into())
                .col_expr(session::Column::AccessExpiresAt, rotation.access_expires_at.into())
                .filter(session::Column::Id.eq(rotation.session.0))
                .filter(session::Column::Generation.eq(rotation.spent))
                .filter(session::Column::RevokedAt.is_null())
                .filter(session::Column::ExpiresAt.gt(rotation.at))
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(changed == 1)
        };
        Ok(self.database.run("rotate_session", rotate).await?)
    }

    async fn reauthenticate(&self, id: SessionId, methods: &str, now: DateTime<Utc>) -> Result<bool, PortError> {
        let renew = || async {
            let transaction = self.database.begin().await?;
            let changed = session::Entity::update_many()
                .col_expr(session::Column::AuthenticatedAt, now.into())
                .col_expr(session::Column::Methods, methods.into())
                .filter(session::Column::Id.eq(id.0))
                .filter(session::Column::RevokedAt.is_null())
                .filter(session::Column::ExpiresAt.gt(now))
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(changed == 1)
        };
        Ok(self.database.run("reauthenticate_session", renew).await?)
    }

    async fn revoke(
        &self,
        id: SessionId,
        reason: &'static str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<RevokedSession>, PortError> {
        let ended = self.end(session::Column::Id.eq(id.0), reason, now, tokens_until).await?;
        Ok(ended.into_iter().next())
    }

    async fn revoke_all(
        &self,
        user: UserId,
        reason: &'static str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, PortError> {
        self.end(session::Column::UserId.eq(user.0), reason, now, tokens_until).await
    }

    async fn revoked(
        &self,
        since: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, PortError> {
        let find = || {
            let mut query = session::Entity::find()
                .filter(session::Column::RevokedUntil.gt(now))
                .order_by_asc(session::Column::RevokedAt);
            if let Some(since) = since {
                query = query.filter(session::Column::RevokedAt.gte(since));
            }
            query.all(self.database.reader())
        };
        let rows = self.database.run("find_revocations", find).await?;
        let of_row = |row: session::Model| {
            let (at, until) = row.revoked_at.zip(row.revoked_until).ok_or_else(|| corrupt("revoked_until"))?;
            Ok((at, (SessionId(row.id), until)))
        };
        let mut revoked = rows.into_iter().map(of_row).collect::<Result<Vec<_>, PortError>>()?;
        revoked.extend(self.revoked_grants(since, now).await?);
        revoked.sort_by_key(|(at, _)| *at);
        Ok(revoked.into_iter().map(|(_, session)| session).collect())
    }
}

impl Store {
    /// Ends the living sessions among `which`.
    async fn end(
        &self,
        which: SimpleExpr,
        reason: &'static str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, PortError> {
        let end = || async {
            let transaction = self.database.begin().await?;
            let ended = end(&transaction, which.clone(), reason, now, tokens_until).await?;
            transaction.commit().await?;
            Ok::<_, DbErr>(ended)
        };
        Ok(self.database.run("end_sessions", end).await?)
    }
}

/// Inserts a session if its user is neither suspended nor deleted and, when one is given, still has this password, within a
/// transaction.
pub(super) async fn insert(
    connection: &impl ConnectionTrait,
    session: &Session,
    password: Option<&PasswordHash>,
) -> Result<bool, DbErr> {
    // Who changes this user waits until the session is there to be ended, or was first. The row is written with what it
    // holds.
    let mut claim = user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::col(user::Column::Status))
        .filter(user::Column::Id.eq(session.user_id.0))
        .filter(user::Column::Status.is_in([UserStatus::Active, UserStatus::Pending].map(UserStatus::as_str)));
    if let Some(password) = password {
        claim = claim.filter(user::Column::PasswordHash.eq(password.as_text()));
    }
    if claim.exec(connection).await?.rows_affected == 0 {
        return Ok(false);
    }
    let is_ours = session.client_id == FIRST_PARTY;
    if !is_ours && !has_client(connection, &session.client_id).await? {
        return Ok(false);
    }
    session::Entity::insert(row_of(session)).exec_without_returning(connection).await?;
    Ok(true)
}

/// Ends the living sessions among `which`, within a transaction.
pub(super) async fn end(
    connection: &impl ConnectionTrait,
    which: SimpleExpr,
    reason: &'static str,
    now: DateTime<Utc>,
    tokens_until: DateTime<Utc>,
) -> Result<Vec<RevokedSession>, DbErr> {
    // One statement marks them, whatever else happens to them at the same time; the mark of this very call tells which
    // they were.
    let rows = session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, now.into())
        .col_expr(session::Column::RevokedReason, reason.into())
        .col_expr(
            session::Column::RevokedUntil,
            Expr::case(session::Column::AccessExpiresAt.gt(tokens_until), Expr::col(session::Column::AccessExpiresAt))
                .finally(tokens_until)
                .into(),
        )
        .filter(which)
        .filter(session::Column::RevokedAt.is_null())
        .exec_with_returning(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (SessionId(row.id), row.revoked_until.unwrap_or(tokens_until))).collect())
}

fn row_of(session: &Session) -> session::ActiveModel {
    session::ActiveModel {
        id: Set(session.id.0),
        user_id: Set(session.user_id.0),
        client_id: Set(session.client_id.clone()),
        scope: Set(session.scope.clone()),
        audience: Set(session.audience.clone()),
        authenticated_at: Set(Some(session.authenticated_at)),
        methods: Set(Some(session.methods.clone())),
        ends_at: Set(Some(session.ends_at)),
        created_at: Set(session.created_at),
        expires_at: Set(session.expires_at),
        generation: Set(session.generation),
        rotated_at: Set(session.rotated_at),
        sealed_successor: Set(session.sealed_successor.clone()),
        access_expires_at: Set(session.access_expires_at),
        revoked_at: Set(session.revoked_at),
        revoked_until: Set(None),
        revoked_reason: Set(None),
        user_agent: Set(session.device.user_agent.clone()),
        address: Set(session.device.address.clone()),
    }
}

pub(super) fn session_of(row: session::Model) -> Session {
    Session {
        id: SessionId(row.id),
        user_id: UserId(row.user_id),
        client_id: row.client_id,
        scope: row.scope,
        audience: row.audience,
        authenticated_at: row.authenticated_at.unwrap_or(row.created_at),
        methods: row.methods.unwrap_or_else(|| "pwd".to_owned()),
        ends_at: row.ends_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
        device: Device { user_agent: row.user_agent, address: row.address },
        created_at: row.created_at,
        expires_at: row.expires_at,
        generation: row.generation,
        rotated_at: row.rotated_at,
        sealed_successor: row.sealed_successor,
        access_expires_at: row.access_expires_at,
        revoked_at: row.revoked_at,
    }
}
