//! Takes away what has expired, a bounded number of rows at a time.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use uuid::Uuid;

use super::{
    Store,
    entities::{api_key, attempt_counter, email_token, idempotency_key, session},
};
use crate::modules::auth::application::PortError;

/// The most rows that one transaction takes away: short enough that no login waits for it.
const BATCH: u64 = 500;
/// How long a session is kept after its end, so that a token of it that comes late is still told what it was.
const KEPT: TimeDelta = TimeDelta::days(1);

impl Store {
    /// Takes away one batch of sessions and of mailed tokens; `true` when there may be more. A session that was revoked
    /// stays for as long as one of its access tokens could look valid.
    pub(crate) async fn purge(&self, now: DateTime<Utc>) -> Result<bool, PortError> {
        let before = now - KEPT;
        let has_ended =
            Condition::any().add(session::Column::ExpiresAt.lt(before)).add(session::Column::RevokedAt.lt(before));
        let no_token_lives =
            Condition::any().add(session::Column::RevokedUntil.is_null()).add(session::Column::RevokedUntil.lt(before));
        let purge = || async {
            let transaction = self.database.begin().await?;
            let sessions: Vec<Uuid> = session::Entity::find()
                .select_only()
                .column(session::Column::Id)
                .filter(has_ended.clone())
                .filter(no_token_lives.clone())
                .filter(session::Column::AccessExpiresAt.lt(now))
                .limit(BATCH)
                .into_tuple()
                .all(&transaction)
                .await?;
            let tokens: Vec<Uuid> = email_token::Entity::find()
                .select_only()
                .column(email_token::Column::Id)
                .filter(email_token::Column::ExpiresAt.lt(now))
                .limit(BATCH)
                .into_tuple()
                .all(&transaction)
                .await?;
            let counters: Vec<String> = attempt_counter::Entity::find()
                .select_only()
                .column(attempt_counter::Column::Id)
                .filter(attempt_counter::Column::ExpiresAt.lt(now))
                .limit(BATCH)
                .into_tuple()
                .all(&transaction)
                .await?;
            let is_full = [sessions.len(), tokens.len(), counters.len()].iter().any(|len| *len as u64 == BATCH);
            attempt_counter::Entity::delete_many()
                .filter(attempt_counter::Column::Id.is_in(counters))
                .filter(attempt_counter::Column::ExpiresAt.lt(now))
                .exec(&transaction)
                .await?;
            session::Entity::delete_many().filter(session::Column::Id.is_in(sessions)).exec(&transaction).await?;
            email_token::Entity::delete_many().filter(email_token::Column::Id.is_in(tokens)).exec(&transaction).await?;
            // Answers are kept for a day and asked for by hand: there are never so many that a batch would matter.
            idempotency_key::Entity::delete_many()
                .filter(idempotency_key::Column::ExpiresAt.lt(now))
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
            Ok(is_full)
        };
        let more = self.purge_client_grants(now, KEPT, BATCH).await?;
        let more = self.purge_authorizations(now, KEPT, BATCH).await? || more;
        Ok(self.database.run("purge_expired", purge).await? || more)
    }
    /// Takes away one batch of API keys that were revoked, or expired, before `before`; `true` when there may be more.
    pub(crate) async fn purge_api_keys(&self, before: DateTime<Utc>) -> Result<bool, PortError> {
        let is_over =
            Condition::any().add(api_key::Column::RevokedAt.lt(before)).add(api_key::Column::ExpiresAt.lt(before));
        let purge = || async {
            let transaction = self.database.begin().await?;
            let keys: Vec<Uuid> = api_key::Entity::find()
                .select_only()
                .column(api_key::Column::Id)
                .filter(is_over.clone())
                .limit(BATCH)
                .into_tuple()
                .all(&transaction)
                .await?;
            let is_full = keys.len() as u64 == BATCH;
            api_key::Entity::delete_many().filter(api_key::Column::Id.is_in(keys)).exec(&transaction).await?;
            transaction.commit().await?;
            Ok(is_full)
        };
        Ok(self.database.run("purge_api_keys", purge).await?)
    }
}
