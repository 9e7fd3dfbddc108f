//! Redis, where it is configured: what instances tell each other. Nothing is kept there that would be missed when it is gone:
//! the database has it too, or each instance has its own part of it.

mod breakers;
mod counts;

mod shared_cache;

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use redis::{
    Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

pub use self::{breakers::RedisBreakers, counts::RedisCounts, shared_cache::RedisSharedCache};
use super::bell::Bell;

/// Where Redis is, and how long it is waited for.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://…` or `rediss://…`.
    pub url: String,
    /// What every name begins with.
    pub prefix: String,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// For an answer.
    pub response_timeout: Duration,
}

/// The channel that is rung on, behind the installation's prefix.
const CHANNEL: &str = "bell";
/// Between two attempts to listen.
const PAUSE: Duration = Duration::from_secs(1);

/// A bell over Redis publish and subscribe. It can be rung and heard whether Redis is there or not.
pub struct RedisBell {
    heard: watch::Sender<u64>,
    rung: Arc<Notify>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for RedisBell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisBell").finish_non_exhaustive()
    }
}

impl RedisBell {
    /// Begins to listen. It needs a tokio runtime. The error says what is wrong with the URL; that Redis cannot be reached is
    /// none.
    pub fn start(settings: &RedisSettings) -> Result<Self, String> {
        let client = Client::open(settings.url.as_str()).map_err(|error| error.to_string())?;
        let channel = format!("{}:{CHANNEL}", settings.prefix);
        let heard = watch::Sender::new(0);
        let rung = Arc::new(Notify::new());
        let patience = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.response_timeout))
            .set_number_of_retries(1);
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), patience);
        let manager = manager.map_err(|error| error.to_string())?;
        let tasks = vec![
            tokio::spawn(publish(manager, channel.clone(), rung.clone())),
            tokio::spawn(listen(client, channel, heard.clone(), settings.connect_timeout)),
        ];
        Ok(Self { heard, rung, tasks })
    }
}

impl Drop for RedisBell {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Bell for RedisBell {
    fn ring(&self) {
        self.heard.send_modify(|count| *count += 1);
        self.rung.notify_one();
    }

    fn heard(&self) -> watch::Receiver<u64> {
        self.heard.subscribe()
    }
}

/// Tells Redis of every ring; several that come close together are one. The listener of this very process hears it too,
/// which does no harm.
async fn publish(mut connection: ConnectionManager, channel: String, rung: Arc<Notify>) {
    let mut told = Told::default();
    loop {
        rung.notified().await;
        let sent: Result<(), RedisError> =
            redis::cmd("PUBLISH").arg(&channel).arg("").query_async(&mut connection).await;
        told.note("publish", sent);
    }
}

/// Hears what others ring. Whenever it begins to listen it may have missed something, and counts that as a ring.
async fn listen(client: Client, channel: String, heard: watch::Sender<u64>, connect_timeout: Duration) {
    let mut told = Told::default();
    loop {
        let subscribe = async {
            let mut connection = client.get_async_pubsub().await?;
            connection.subscribe(&channel).await?;
            Ok::<_, RedisError>(connection)
        };
        let subscribed = tokio::time::timeout(connect_timeout, subscribe).await;
        let subscribed = subscribed.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()));
        match subscribed {
            Ok(connection) => {
                told.note("listen", Ok(()));
                let mut messages = connection.into_on_message();
                loop {
                    heard.send_modify(|count| *count += 1);
                    if messages.next().await.is_none() {
                        break;
                    }
                }
            }
            Err(error) => told.note("listen", Err(error)),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells in the log that Redis is away, once, and that it is back.
#[derive(Default)]
struct Told {
    away: bool,
}

impl Told {
    fn note(&mut self, what: &str, outcome: Result<(), RedisError>) {
        match outcome {
            Ok(()) if self.away => tracing::info!(event = "redis_back", what),
            Err(error) if !self.away => {
                tracing::warn!(event = "redis_away", what, %error, detail = "each instance goes on by itself");
                self.away = true;
                return;
            }
            Ok(()) | Err(_) => return,
        }
        self.away = false;
    }
}
