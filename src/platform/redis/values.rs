//! Values in Redis that instances keep for each other.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use redis::{
    Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::{sync::Semaphore, time::Instant};

use super::RedisSettings;
use crate::platform::shared_values::SharedValues;

/// The longest that a request waits for Redis.
const MOST_PATIENCE: Duration = Duration::from_millis(50);
/// After it was away it is left alone for so long, so that not every request waits for it.
const PAUSE: Duration = Duration::from_secs(1);
/// Values on their way at a time; more are not kept.
const MOST_UNDER_WAY: usize = 64;

/// The values of one kind.
pub struct RedisValues {
    inner: Arc<Inner>,
    under_way: Arc<Semaphore>,
}

struct Inner {
    connection: ConnectionManager,
    prefix: String,
    patience: Duration,
    away_until: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for RedisValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisValues").field("prefix", &self.inner.prefix).finish_non_exhaustive()
    }
}

impl RedisValues {
    /// Values whose names begin with `kind`. It needs a tokio runtime. The error says what is wrong with the URL; that Redis
    /// cannot be reached is none.
    pub fn start(settings: &RedisSettings, kind: &str) -> Result<Self, String> {
        let client = Client::open(settings.url.as_str()).map_err(|error| error.to_string())?;
        let patience = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.response_timeout))
            .set_number_of_retries(1);
        let connection =
            ConnectionManager::new_lazy_with_config(client, patience).map_err(|error| error.to_string())?;
        let inner = Inner {
            connection,
            prefix: format!("{}:{kind}", settings.prefix),
            patience: settings.response_timeout.min(MOST_PATIENCE),
            away_until: Mutex::new(None),
        };
        Ok(Self { inner: Arc::new(inner), under_way: Arc::new(Semaphore::new(MOST_UNDER_WAY)) })
    }
}

impl Inner {
    fn name(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// Asks, unless Redis was away a moment ago.
    async fn ask<T>(&self, within: Duration, asked: impl Future<Output = Result<T, RedisError>>) -> Option<T> {
        let away_until = *self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        if away_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        match tokio::time::timeout(within, asked).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => tracing::debug!(event = "shared_values_failed", %error),
            Err(_) => tracing::debug!(event = "shared_values_failed", error = "no answer in time"),
        }
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
        None
    }
}

#[async_trait]
impl SharedValues for RedisValues {
    async fn get(&self, name: &str) -> Option<Vec<u8>> {
        let mut connection = self.inner.connection.clone();
        let mut question = redis::cmd("GET");
        question.arg(self.inner.name(name));
        self.inner.ask(self.inner.patience, question.query_async::<Option<Vec<u8>>>(&mut connection)).await.flatten()
    }

    fn put(&self, name: &str, value: Vec<u8>, time: Duration) {
        let Ok(permit) = Arc::clone(&self.under_way).try_acquire_owned() else { return };
        let (inner, name) = (Arc::clone(&self.inner), self.inner.name(name));
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 40);
        tokio::spawn(async move {
            let mut connection = inner.connection.clone();
            let mut order = redis::cmd("SET");
            order.arg(name).arg(value).arg("PX").arg(millis);
            // Nobody waits for it, so it may take longer than a request may wait.
            let _: Option<()> = inner.ask(PAUSE, order.query_async::<()>(&mut connection)).await;
            drop(permit);
        });
    }
}
