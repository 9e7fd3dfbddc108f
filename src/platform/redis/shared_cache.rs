//! The second level of caches in Redis: an entry is a hash, what is told goes through a stream, so that who was away for a
//! moment hears it afterwards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use redis::{
    Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
    streams::{StreamRangeReply, StreamReadReply},
};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinHandle,
};

use super::{PAUSE, RedisSettings};
use crate::platform::shared_cache::{Away, News, SharedCache};

/// What waits to be told while Redis is away; more is told as "something was missed".
const MOST_WAITING: usize = 1024;
/// What the stream remembers, about.
const MOST_REMEMBERED: usize = 10_000;
/// How long one question for news waits for some.
const LISTENING: Duration = Duration::from_secs(5);
/// The longest that a request waits for Redis.
const MOST_PATIENCE: Duration = Duration::from_millis(50);
/// What stands for news that are not told one by one.
const EVERYTHING: &str = "*";

/// The second level in Redis.
pub struct RedisSharedCache {
    connection: ConnectionManager,
    prefix: String,
    patience: Duration,
    telling: mpsc::Sender<Telling>,
    overflow: Arc<AtomicBool>,
    heard: broadcast::Sender<News>,
    tasks: Vec<JoinHandle<()>>,
}

struct Telling {
    news: String,
    generation: Option<String>,
}

impl std::fmt::Debug for RedisSharedCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisSharedCache").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisSharedCache {
    /// Begins to listen. It needs a tokio runtime. The error says what is wrong with the URL; that Redis cannot be reached
    /// is none.
    pub fn start(settings: &RedisSettings) -> Result<Self, String> {
        let client = Client::open(settings.url.as_str()).map_err(|error| error.to_string())?;
        let patience = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.response_timeout.max(MOST_PATIENCE)))
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), patience);
        let connection = connection.map_err(|error| error.to_string())?;
        let prefix = format!("{}:cache", settings.prefix);
        let (telling, waiting) = mpsc::channel(MOST_WAITING);
        let overflow = Arc::new(AtomicBool::new(false));
        let heard = broadcast::Sender::new(MOST_WAITING);
        let tasks = vec![
            tokio::spawn(tell(connection.clone(), prefix.clone(), waiting, overflow.clone())),
            tokio::spawn(listen(client, prefix.clone(), heard.clone(), settings.connect_timeout)),
        ];
        let patience = settings.response_timeout.min(MOST_PATIENCE);
        Ok(Self { connection, prefix, patience, telling, overflow, heard, tasks })
    }

    fn name(&self, entry: &str) -> String {
        format!("{}:{entry}", self.prefix)
    }

    /// A question that is not waited for longer than a request may wait.
    async fn ask<T: redis::FromRedisValue>(&self, pipeline: &redis::Pipeline) -> Result<T, Away> {
        let mut connection = self.connection.clone();
        let asked = tokio::time::timeout(self.patience, pipeline.query_async(&mut connection)).await;
        asked.map_err(|_| Away)?.map_err(|error: RedisError| {
            tracing::debug!(event = "shared_cache_failed", %error);
            Away
        })
    }
}

impl Drop for RedisSharedCache {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

#[async_trait]
impl SharedCache for RedisSharedCache {
    async fn read(&self, entry: &str, fields: &[String]) -> Result<Vec<Option<Vec<u8>>>, Away> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("HMGET").arg(self.name(entry)).arg(fields);
        let (values,) = self.ask(&pipeline).await?;
        Ok(values)
    }

    async fn write(
        &self,
        entry: &str,
        fields: Vec<(String, Vec<u8>)>,
        time: Duration,
        most: usize,
    ) -> Result<(), Away> {
        let name = self.name(entry);
        let mut pipeline = redis::pipe();
        pipeline.cmd("HLEN").arg(&name);
        let (length,): (usize,) = self.ask(&pipeline).await?;
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        if length > most {
            pipeline.cmd("UNLINK").arg(&name).ignore();
        }
        pipeline.cmd("HSET").arg(&name);
        for (field, value) in fields {
            pipeline.arg(field).arg(value);
        }
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 40);
        pipeline.ignore().cmd("PEXPIRE").arg(&name).arg(millis).ignore();
        self.ask::<()>(&pipeline).await
    }

    async fn remove(&self, entry: &str) -> Result<(), Away> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("UNLINK").arg(self.name(entry)).ignore();
        self.ask::<()>(&pipeline).await
    }

    async fn generation(&self) -> Result<Option<String>, Away> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(self.name("generation"));
        let (generation,) = self.ask(&pipeline).await?;
        Ok(generation)
    }

    fn tell(&self, news: String, generation: Option<String>) {
        if self.telling.try_send(Telling { news, generation }).is_err() {
            self.overflow.store(true, Ordering::Relaxed);
        }
    }

    fn hear(&self) -> broadcast::Receiver<News> {
        self.heard.subscribe()
    }
}

/// Tells one after the other, each until it is told.
async fn tell(
    mut connection: ConnectionManager,
    prefix: String,
    mut waiting: mpsc::Receiver<Telling>,
    overflow: Arc<AtomicBool>,
) {
    let mut told = Told::default();
    while let Some(telling) = waiting.recv().await {
        loop {
            let mut pipeline = redis::pipe();
            pipeline.atomic();
            let news = if overflow.load(Ordering::Relaxed) { EVERYTHING } else { &telling.news };
            let stream = format!("{prefix}:news");
            pipeline.cmd("XADD").arg(&stream).arg("MAXLEN").arg("~").arg(MOST_REMEMBERED);
            pipeline.arg("*").arg("news").arg(news).ignore();
            if let Some(generation) = &telling.generation {
                pipeline.cmd("SET").arg(format!("{prefix}:generation")).arg(generation).ignore();
            }
            let sent: Result<(), RedisError> = pipeline.query_async(&mut connection).await;
            let is_told = sent.is_ok();
            told.note("tell", sent);
            if is_told {
                if news == EVERYTHING {
                    overflow.store(false, Ordering::Relaxed);
                }
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Hears what is told, from where it stopped the last time.
async fn listen(client: Client, prefix: String, heard: broadcast::Sender<News>, connect_timeout: Duration) {
    let mut told = Told::default();
    let mut last: Option<String> = None;
    let stream = format!("{prefix}:news");
    loop {
        let error = match hear(&client, &stream, &heard, &mut last, connect_timeout, &mut told).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        told.note("hear", Err(error));
        tokio::time::sleep(PAUSE).await;
    }
}

/// Hears until the connection breaks.
async fn hear(
    client: &Client,
    stream: &str,
    heard: &broadcast::Sender<News>,
    last: &mut Option<String>,
    connect_timeout: Duration,
    told: &mut Told,
) -> Result<std::convert::Infallible, RedisError> {
    let patience = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connect_timeout))
        .set_response_timeout(Some(LISTENING + Duration::from_secs(5)));
    let mut connection = client.get_multiplexed_async_connection_with_config(&patience).await?;
    told.note("hear", Ok(()));
    let from = match last.as_deref() {
        None => end(&mut connection, stream).await?,
        Some(last) => {
            // What came after it may be forgotten already.
            let first: StreamRangeReply = redis::cmd("XRANGE")
                .arg(stream)
                .arg("-")
                .arg("+")
                .arg("COUNT")
                .arg(1)
                .query_async(&mut connection)
                .await?;
            if first.ids.first().is_some_and(|first| number(&first.id) > number(last)) {
                let _ = heard.send(News::Missed);
            }
            last.to_owned()
        }
    };
    *last = Some(from);
    loop {
        let millis = u64::try_from(LISTENING.as_millis()).unwrap_or(5_000);
        let reply: Option<StreamReadReply> = redis::cmd("XREAD")
            .arg("COUNT")
            .arg(100)
            .arg("BLOCK")
            .arg(millis)
            .arg("STREAMS")
            .arg(stream)
            .arg(last.as_deref().unwrap_or("0-0"))
            .query_async(&mut connection)
            .await?;
        for entry in reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids) {
            let news: Option<String> = entry.get("news");
            *last = Some(entry.id);
            let _ = heard.send(match news {
                Some(news) if news != EVERYTHING => News::Told(news),
                _ => News::Missed,
            });
        }
    }
}

/// Where the stream ends now.
async fn end(connection: &mut MultiplexedConnection, stream: &str) -> Result<String, RedisError> {
    let latest: StreamRangeReply =
        redis::cmd("XREVRANGE").arg(stream).arg("+").arg("-").arg("COUNT").arg(1).query_async(connection).await?;
    Ok(latest.ids.into_iter().next().map_or_else(|| "0-0".to_owned(), |latest| latest.id))
}

/// A stream's id as numbers.
fn number(id: &str) -> (u64, u64) {
    let (millis, count) = id.split_once('-').unwrap_or((id, "0"));
    (millis.parse().unwrap_or(0), count.parse().unwrap_or(0))
}

/// Tells in the log that the second level is away, once, and that it is back.
#[derive(Default)]
struct Told {
    away: bool,
}

impl Told {
    fn note(&mut self, what: &str, outcome: Result<(), RedisError>) {
        match outcome {
            Ok(()) if self.away => tracing::info!(event = "shared_cache_back", what),
            Err(error) if !self.away => {
                tracing::warn!(event = "shared_cache_away", what, %error, detail = "each instance goes on with its own cache");
                self.away = true;
                return;
            }
            Ok(()) | Err(_) => return,
        }
        self.away = false;
    }
}
