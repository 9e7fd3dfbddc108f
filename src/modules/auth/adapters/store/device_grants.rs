//! Devices' requests.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::{Store, authorization_codes::words, corrupt, entities::device_grant};
use crate::{
    kernel::{SessionId, UserId},
    modules::auth::{
        application::{DeviceGrantRepository, PortError},
        domain::{Approval, DeviceGrant, DeviceState, UserCode},
    },
};

const WAITING: &str = "waiting";
const ALLOWED: &str = "allowed";
const DENIED: &str = "denied";
const SPENT: &str = "spent";

#[async_trait]
impl DeviceGrantRepository for Store {
    async fn keep(&self, grant: &DeviceGrant) -> Result<bool, PortError> {
        let keep = || async {
            let transaction = self.database.begin().await?;
            let on_conflict = OnConflict::column(device_grant::Column::UserCode).do_nothing().to_owned();
            let inserted = device_grant::Entity::insert(row_of(grant))
                .on_conflict(on_conflict)
                .exec_without_returning(&transaction)
                .await?;
            transaction.commit().await?;
            Ok(inserted == 1)
        };
        Ok(self.database.run("insert_device_grant", keep).await?)
    }

    async fn waiting(&self, code: &UserCode, now: DateTime<Utc>) -> Result<Option<DeviceGrant>, PortError> {
        let find = || {
            device_grant::Entity::find()
                .filter(device_grant::Column::UserCode.eq(code.as_str()))
                .filter(device_grant::Column::Status.eq(WAITING))
                .filter(device_grant::Column::ExpiresAt.gt(now))
                .one(self.database.reader())
        };
        self.database.run("find_waiting_device_grant", find).await?.map(grant_of).transpose()
    }

    async fn answer(
        &self,
        code: &UserCode,
        approval: Option<&Approval>,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        let answer = || async {
            let transaction = self.database.begin().await?;
            let status = if approval.is_some() { ALLOWED } else { DENIED };
            let answered = device_grant::Entity::update_many()
                .col_expr(device_grant::Column::Status, status.into())
                .col_expr(device_grant::Column::UserId, Expr::value(approval.map(|by| by.user.0)))
                .col_expr(device_grant::Column::BrowserId, Expr::value(approval.map(|by| by.browser.0)))
                .col_expr(device_grant::Column::AuthenticatedAt, Expr::value(approval.map(|by| by.authenticated_at)))
                .col_expr(device_grant::Column::Methods, Expr::value(approval.map(|by| by.methods.clone())))
                .filter(device_grant::Column::UserCode.eq(code.as_str()))
                .filter(device_grant::Column::Status.eq(WAITING))
                .filter(device_grant::Column::ExpiresAt.gt(now))
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(answered == 1)
        };
        Ok(self.database.run("answer_device_grant", answer).await?)
    }

    async fn find(&self, hash: &str) -> Result<Option<DeviceGrant>, PortError> {
        let find = || device_grant::Entity::find_by_id(hash.to_owned()).one(self.database.reader());
        self.database.run("find_device_grant", find).await?.map(grant_of).transpose()
    }

    async fn polled(&self, hash: &str, interval: u32, now: DateTime<Utc>) -> Result<(), PortError> {
        let interval = i32::try_from(interval).unwrap_or(i32::MAX);
        let note = || async {
            let transaction = self.database.begin().await?;
            device_grant::Entity::update_many()
                .col_expr(device_grant::Column::PolledAt, now.into())
                .col_expr(device_grant::Column::PollInterval, interval.into())
                .filter(device_grant::Column::Hash.eq(hash))
                .exec(&transaction)
                .await?;
            transaction.commit().await
        };
        Ok(self.database.run("note_device_poll", note).await?)
    }

    async fn spend(&self, hash: &str, now: DateTime<Utc>) -> Result<bool, PortError> {
        let spend = || async {
            let transaction = self.database.begin().await?;
            let spent = device_grant::Entity::update_many()
                .col_expr(device_grant::Column::Status, SPENT.into())
                .filter(device_grant::Column::Hash.eq(hash))
                .filter(device_grant::Column::Status.eq(ALLOWED))
                .filter(device_grant::Column::ExpiresAt.gt(now))
                .exec(&transaction)
                .await?
                .rows_affected;
            transaction.commit().await?;
            Ok(spent == 1)
        };
        Ok(self.database.run("spend_device_grant", spend).await?)
    }
}

fn row_of(grant: &DeviceGrant) -> device_grant::ActiveModel {
    let (status, approval) = match &grant.state {
        DeviceState::Waiting => (WAITING, None),
        DeviceState::Allowed(approval) => (ALLOWED, Some(approval)),
        DeviceState::Denied => (DENIED, None),
        DeviceState::Spent => (SPENT, None),
    };
    device_grant::ActiveModel {
        hash: Set(grant.hash.clone()),
        user_code: Set(grant.user_code.as_str().to_owned()),
        client_id: Set(grant.client_id.clone()),
        scopes: Set(grant.scopes.join(" ")),
        resource: Set(grant.resource.clone()),
        created_at: Set(grant.created_at),
        expires_at: Set(grant.expires_at),
        poll_interval: Set(i32::try_from(grant.interval).unwrap_or(i32::MAX)),
        polled_at: Set(grant.polled_at),
        status: Set(status.to_owned()),
        user_id: Set(approval.map(|by| by.user.0)),
        browser_id: Set(approval.map(|by| by.browser.0)),
        authenticated_at: Set(approval.map(|by| by.authenticated_at)),
        methods: Set(approval.map(|by| by.methods.clone())),
    }
}

fn grant_of(row: device_grant::Model) -> Result<DeviceGrant, PortError> {
    let state = match row.status.as_str() {
        WAITING => DeviceState::Waiting,
        DENIED => DeviceState::Denied,
        SPENT => DeviceState::Spent,
        ALLOWED => match (row.user_id, row.browser_id, row.authenticated_at, row.methods) {
            (Some(user), Some(browser), Some(authenticated_at), Some(methods)) => DeviceState::Allowed(Approval {
                user: UserId(user),
                browser: SessionId(browser),
                authenticated_at,
                methods,
            }),
            _ => return Err(corrupt("device_grants.user_id")),
        },
        _ => return Err(corrupt("device_grants.status")),
    };
    Ok(DeviceGrant {
        hash: row.hash,
        user_code: UserCode::parse(&row.user_code).map_err(|_| corrupt("device_grants.user_code"))?,
        client_id: row.client_id,
        scopes: words(&row.scopes).collect(),
        resource: row.resource,
        created_at: row.created_at,
        expires_at: row.expires_at,
        interval: u32::try_from(row.poll_interval).unwrap_or_default(),
        polled_at: row.polled_at,
        state,
    })
}
