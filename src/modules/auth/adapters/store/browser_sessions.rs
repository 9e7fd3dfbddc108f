//! The browsers' own sessions: rows of the session store, and beside them which cookie stands for which.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::{
    Store,
    entities::{browser_session, session},
    sessions::{insert, session_of},
};
use crate::{
    kernel::SessionId,
    modules::auth::{
        application::{BrowserSessionRepository, PortError},
        domain::{PasswordHash, Session},
    },
};

#[async_trait]
impl BrowserSessionRepository for Store {
    async fn keep(&self, secret_hash: &str, session: &Session, password: &PasswordHash) -> Result<bool, PortError> {
        let keep = || async {
            let transaction = self.database.begin().await?;
            if !insert(&transaction, session, Some(password)).await? {
                return Ok(false);
            }
            let row = browser_session::ActiveModel { hash: Set(secret_hash.to_owned()), session_id: Set(session.id.0) };
            browser_session::Entity::insert(row).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok(true)
        };
        Ok(self.database.run("insert_browser_session", keep).await?)
    }

    async fn find(&self, secret_hash: &str) -> Result<Option<Session>, PortError> {
        let find = || async {
            let kept = browser_session::Entity::find_by_id(secret_hash.to_owned()).one(self.database.reader()).await?;
            let Some(kept) = kept else { return Ok(None) };
            session::Entity::find_by_id(kept.session_id).one(self.database.reader()).await
        };
        Ok(self.database.run("find_browser_session", find).await?.map(session_of))
    }

    async fn touch(&self, id: SessionId, expires_at: DateTime<Utc>) -> Result<(), PortError> {
        let touch = || async {
            let transaction = self.database.begin().await?;
            session::Entity::update_many()
                .col_expr(session::Column::ExpiresAt, expires_at.into())
                .filter(session::Column::Id.eq(id.0))
                .filter(session::Column::RevokedAt.is_null())
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("touch_browser_session", touch).await?)
    }
}
