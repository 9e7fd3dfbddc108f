//! Authorization codes.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};

use super::{Store, corrupt, entities::authorization_code};
use crate::{
    kernel::{SessionId, UserId},
    modules::auth::{
        application::{AuthorizationCodeRepository, PortError},
        domain::{Approval, AuthorizationCode, CodeChallenge},
    },
};

#[async_trait]
impl AuthorizationCodeRepository for Store {
    async fn keep(&self, code: &AuthorizationCode) -> Result<(), PortError> {
        let keep = || async {
            let transaction = self.database.begin().await?;
            authorization_code::Entity::insert(row_of(code)).exec_without_returning(&transaction).await?;
            transaction.commit().await
        };
        Ok(self.database.run("insert_authorization_code", keep).await?)
    }

    async fn find(&self, hash: &str) -> Result<Option<AuthorizationCode>, PortError> {
        let find = || authorization_code::Entity::find_by_id(hash.to_owned()).one(self.database.reader());
        self.database.run("find_authorization_code", find).await?.map(code_of).transpose()
    }

    async fn spend(&self, hash: &str, now: DateTime<Utc>) -> Result<bool, PortError> {
        let spend = || async {
            let transaction = self.database.begin().await?;
            let spent = authorization_code::Entity::update_many()
                .col_expr(authorization_code::Column::SpentAt, now.into())
                .filter(authorization_code::Column::Hash.eq(hash))
                .filter(authorization_code::Column::SpentAt.is_null())
                .filter(authorization_code::Column::ExpiresAt.gt(now))
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(spent == 1)
        };
        Ok(self.database.run("spend_authorization_code", spend).await?)
    }

    async fn gave(&self, hash: &str, session: SessionId) -> Result<bool, PortError> {
        let note = || async {
            let transaction = self.database.begin().await?;
            let rows = authorization_code::Entity::update_many()
                .col_expr(authorization_code::Column::SessionId, Expr::value(session.0))
                .filter(authorization_code::Column::Hash.eq(hash))
                .exec_with_returning(&transaction)
                .await?;
            transaction.commit().await?;
            // A code that is gone was taken away with its consent or its client: what it gave has no ground either.
            Ok(rows.first().is_none_or(|row| row.reused_at.is_some()))
        };
        Ok(self.database.run("note_session_of_code", note).await?)
    }

    async fn reuse(&self, hash: &str, now: DateTime<Utc>) -> Result<Option<SessionId>, PortError> {
        let note = || async {
            let transaction = self.database.begin().await?;
            let rows = authorization_code::Entity::update_many()
                .col_expr(authorization_code::Column::ReusedAt, now.into())
                .filter(authorization_code::Column::Hash.eq(hash))
                .filter(authorization_code::Column::SpentAt.is_not_null())
                .exec_with_returning(&transaction)
                .await?;
            transaction.commit().await?;
            Ok(rows.first().and_then(|row| row.session_id).map(SessionId))
        };
        Ok(self.database.run("note_reuse_of_code", note).await?)
    }

    async fn given(&self, browser: SessionId, client_id: &str) -> Result<Vec<SessionId>, PortError> {
        let find = || {
            authorization_code::Entity::find()
                .filter(authorization_code::Column::BrowserId.eq(browser.0))
                .filter(authorization_code::Column::ClientId.eq(client_id))
                .filter(authorization_code::Column::SessionId.is_not_null())
                .all(self.database.reader())
        };
        let rows = self.database.run("find_sessions_of_browser", find).await?;
        Ok(rows.into_iter().filter_map(|row| row.session_id).map(SessionId).collect())
    }
}

fn row_of(code: &AuthorizationCode) -> authorization_code::ActiveModel {
    authorization_code::ActiveModel {
        hash: Set(code.hash.clone()),
        client_id: Set(code.client_id.clone()),
        redirect_uri: Set(code.redirect_uri.clone()),
        challenge: Set(code.challenge.as_str().to_owned()),
        scopes: Set(code.scopes.join(" ")),
        nonce: Set(code.nonce.clone()),
        resource: Set(code.resource.clone()),
        user_id: Set(code.approval.user.0),
        browser_id: Set(code.approval.browser.0),
        authenticated_at: Set(code.approval.authenticated_at),
        methods: Set(code.approval.methods.clone()),
        created_at: Set(code.created_at),
        expires_at: Set(code.expires_at),
        spent_at: Set(code.spent_at),
        session_id: Set(code.session.map(|session| session.0)),
        reused_at: Set(None),
    }
}

fn code_of(row: authorization_code::Model) -> Result<AuthorizationCode, PortError> {
    Ok(AuthorizationCode {
        hash: row.hash,
        client_id: row.client_id,
        redirect_uri: row.redirect_uri,
        challenge: CodeChallenge::parse(&row.challenge).map_err(|_| corrupt("challenge"))?,
        scopes: words(&row.scopes).collect(),
        nonce: row.nonce,
        resource: row.resource,
        approval: Approval {
            user: UserId(row.user_id),
            browser: SessionId(row.browser_id),
            authenticated_at: row.authenticated_at,
            methods: row.methods,
        },
        created_at: row.created_at,
        expires_at: row.expires_at,
        spent_at: row.spent_at,
        session: row.session_id.map(SessionId),
    })
}

/// What was kept separated by spaces.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned)
}
