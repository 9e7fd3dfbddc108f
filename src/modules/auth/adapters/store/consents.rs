//! What users allowed clients.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};

use super::{
    Store,
    authorization_codes::words,
    entities::{authorization_code, consent, device_grant, session, user},
    page, sessions,
};
use crate::{
    kernel::{Page, PageRequest, UserId},
    modules::auth::{
        application::{ConsentRepository, PortError, RevokedSession},
        domain::Consent,
    },
};

#[async_trait]
impl ConsentRepository for Store {
    async fn find(&self, user: UserId, client_id: &str) -> Result<Option<Consent>, PortError> {
        let key = (user.0, client_id.to_owned());
        let find = || consent::Entity::find_by_id(key.clone()).one(self.database.reader());
        Ok(self.database.run("find_consent", find).await?.map(consent_of))
    }

    async fn grant(
        &self,
        user: UserId,
        client_id: &str,
        scopes: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), PortError> {
        let grant = || async {
            let transaction = self.database.begin().await?;
            claim(&transaction, user).await?;
            let key = (user.0, client_id.to_owned());
            let before = consent::Entity::find_by_id(key.clone()).one(&transaction).await?;
            let kept = before.as_ref().map(|row| words(&row.scopes).collect::<BTreeSet<_>>()).unwrap_or_default();
            let all: Vec<String> =
                kept.into_iter().chain(scopes.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect();
            let row = consent::ActiveModel {
                user_id: Set(key.0),
                client_id: Set(key.1),
                scopes: Set(all.join(" ")),
                granted_at: Set(before.as_ref().map_or(now, |row| row.granted_at)),
                updated_at: Set(now),
            };
            if before.is_some() {
                consent::Entity::update(row).exec(&transaction).await?;
            } else {
                consent::Entity::insert(row).exec_without_returning(&transaction).await?;
            }
            transaction.commit().await
        };
        Ok(self.database.run("grant_consent", grant).await?)
    }

    async fn list(&self, user: UserId, page: &PageRequest) -> Result<Page<Consent>, PortError> {
        let limit = page.limit.clamp(1, PageRequest::MAX);
        let find = || {
            let mut query = consent::Entity::find()
                .filter(consent::Column::UserId.eq(user.0))
                .order_by_asc(consent::Column::ClientId)
                .limit(u64::from(limit) + 1);
            if let Some(after) = &page.cursor {
                query = query.filter(consent::Column::ClientId.gt(after.as_str()));
            }
            query.all(self.database.reader())
        };
        let rows = self.database.run("list_consents", find).await?;
        page::cut(rows, limit, |row| row.client_id.clone(), |row| Ok(consent_of(row)))
    }

    async fn revoke(
        &self,
        user: UserId,
        client_id: &str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<Vec<RevokedSession>>, PortError> {
        let revoke = || async {
            let transaction = self.database.begin().await?;
            claim(&transaction, user).await?;
            let gone = consent::Entity::delete_by_id((user.0, client_id.to_owned())).exec(&transaction).await?;
            if gone.rows_affected == 0 {
                return Ok(None);
            }
            authorization_code::Entity::delete_many()
                .filter(authorization_code::Column::UserId.eq(user.0))
                .filter(authorization_code::Column::ClientId.eq(client_id))
                .exec(&transaction)
                .await?;
            device_grant::Entity::delete_many()
                .filter(device_grant::Column::UserId.eq(user.0))
                .filter(device_grant::Column::ClientId.eq(client_id))
                .exec(&transaction)
                .await?;
            let theirs = session::Column::UserId.eq(user.0).and(session::Column::ClientId.eq(client_id));
            let ended = sessions::end(&transaction, theirs, "consent_revoked", now, tokens_until).await?;
            transaction.commit().await?;
            Ok(Some(ended))
        };
        Ok(self.database.run("revoke_consent", revoke).await?)
    }
}

/// Whoever else would change this user's consents waits. The row is written with what it holds.
async fn claim(connection: &impl ConnectionTrait, user: UserId) -> Result<(), DbErr> {
    user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::col(user::Column::Status))
        .filter(user::Column::Id.eq(user.0))
        .exec(connection)
        .await
        .map(drop)
}

/// Takes away everything that users allowed a client, or are about to, within a transaction.
pub(super) async fn forget_client(connection: &impl ConnectionTrait, client_id: &str) -> Result<(), DbErr> {
    consent::Entity::delete_many().filter(consent::Column::ClientId.eq(client_id)).exec(connection).await?;
    authorization_code::Entity::delete_many()
        .filter(authorization_code::Column::ClientId.eq(client_id))
        .exec(connection)
        .await?;
    device_grant::Entity::delete_many().filter(device_grant::Column::ClientId.eq(client_id)).exec(connection).await?;
    Ok(())
}

fn consent_of(row: consent::Model) -> Consent {
    Consent {
        user: UserId(row.user_id),
        client_id: row.client_id,
        scopes: words(&row.scopes).collect(),
        granted_at: row.granted_at,
        updated_at: row.updated_at,
    }
}
