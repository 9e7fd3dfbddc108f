//! Takes away what users allowed clients, once it can be of no more use.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait as _, Condition, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _, sea_query::Query,
};

use super::{
    Store,
    entities::{authorization_code, browser_session, device_grant, interaction, session},
};
use crate::modules::auth::application::PortError;

impl Store {
    /// Takes away one batch of each kind; `true` when there may be more. A code that was redeemed stays for as long as the
    /// session that it gave, so that it is still known when it comes again.
    pub(super) async fn purge_authorizations(
        &self,
        now: DateTime<Utc>,
        kept: TimeDelta,
        batch: u64,
    ) -> Result<bool, PortError> {
        let before = now - kept;
        let sessions = || Query::select().column(session::Column::Id).from(session::Entity).to_owned();
        let is_useless = Condition::any()
            .add(authorization_code::Column::SessionId.is_null())
            .add(authorization_code::Column::SessionId.not_in_subquery(sessions()));
        let purge = || async {
            let transaction = self.database.begin().await?;
            let left: Vec<String> = interaction::Entity::find()
                .select_only()
                .column(interaction::Column::Hash)
                .filter(interaction::Column::ExpiresAt.lt(now))
                .limit(batch)
                .into_tuple()
                .all(&transaction)
                .await?;
            let codes: Vec<String> = authorization_code::Entity::find()
                .select_only()
                .column(authorization_code::Column::Hash)
                .filter(authorization_code::Column::ExpiresAt.lt(before))
                .filter(is_useless.clone())
                .limit(batch)
                .into_tuple()
                .all(&transaction)
                .await?;
            let devices: Vec<String> = device_grant::Entity::find()
                .select_only()
                .column(device_grant::Column::Hash)
                .filter(device_grant::Column::ExpiresAt.lt(before))
                .limit(batch)
                .into_tuple()
                .all(&transaction)
                .await?;
            let browsers: Vec<String> = browser_session::Entity::find()
                .select_only()
                .column(browser_session::Column::Hash)
                .filter(browser_session::Column::SessionId.not_in_subquery(sessions()))
                .limit(batch)
                .into_tuple()
                .all(&transaction)
                .await?;
            let is_full = [&left, &codes, &devices, &browsers].iter().any(|found| found.len() as u64 == batch);
            interaction::Entity::delete_many().filter(interaction::Column::Hash.is_in(left)).exec(&transaction).await?;
            authorization_code::Entity::delete_many()
                .filter(authorization_code::Column::Hash.is_in(codes))
                .exec(&transaction)
                .await?;
            device_grant::Entity::delete_many()
                .filter(device_grant::Column::Hash.is_in(devices))
                .exec(&transaction)
                .await?;
            browser_session::Entity::delete_many()
                .filter(browser_session::Column::Hash.is_in(browsers))
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
            Ok::<_, DbErr>(is_full)
        };
        Ok(self.database.run("purge_authorizations", purge).await?)
    }
}
