//! What the module does on timers while it runs.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    kernel::Clock,
    modules::auth::{
        adapters::store::Store,
        application::{AdministerKeys, PortError},
    },
};

/// Between two looks for what has expired.
const PURGE_EVERY: Duration = Duration::from_mins(10);
/// Between two batches.
const PURGE_PAUSE: Duration = Duration::from_millis(200);
/// Between two looks at the signing keys.
const TEND_EVERY: Duration = Duration::from_secs(1);

/// Takes away what has expired, now and then, until the module stops.
pub(super) async fn purge(store: Arc<Store>, clock: Arc<dyn Clock>, keys_kept: TimeDelta) {
    loop {
        tokio::time::sleep(PURGE_EVERY).await;
        loop {
            match purge_batch(&store, clock.now(), keys_kept).await {
                Ok(true) => tokio::time::sleep(PURGE_PAUSE).await,
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(event = "purge_failed", %error);
                    break;
                }
            }
        }
    }
}

/// `true` when there may be more.
async fn purge_batch(store: &Store, now: DateTime<Utc>, keys_kept: TimeDelta) -> Result<bool, PortError> {
    let more = store.purge_api_keys(now - keys_kept).await?;
    Ok(store.purge(now).await? || more)
}

/// Keeps up with the signing keys until the module stops. A failure is told once.
pub(super) async fn tend_keys(keys: AdministerKeys) {
    let mut failing = false;
    loop {
        tokio::time::sleep(TEND_EVERY).await;
        let outcome = keys.tend().await;
        if let Err(error) = &outcome
            && !failing
        {
            tracing::warn!(event = "signing_keys_not_tended", %error);
        }
        failing = outcome.is_err();
    }
}
