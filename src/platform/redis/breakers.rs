//! News of breakers over Redis: a message to those who listen, and a hash for those who come later. Without Redis nothing is
//! told, and each instance finds out for itself.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use redis::{
    Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinHandle,
};

use super::{PAUSE, RedisSettings, Told};
use crate::{
    kernel::{Clock, Random},
    platform::breaker_news::{BreakerNews, Opened},
};

/// News that wait to be told or heard; more are dropped.
const MOST_WAITING: usize = 64;
/// How long the hash is kept after the last news.
const KEPT_SECONDS: i64 = 3600;

/// News of breakers over Redis.
pub struct RedisBreakers {
    told: mpsc::Sender<(String, Duration)>,
    heard: broadcast::Sender<Opened>,
    tasks: Vec<JoinHandle<()>>,
}

impl fmt::Debug for RedisBreakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBreakers").finish_non_exhaustive()
    }
}

impl RedisBreakers {
    /// Begins to tell and to listen, which needs a tokio runtime. The error says what is wrong with the URL.
    pub fn start(settings: &RedisSettings, clock: &Arc<dyn Clock>, random: &dyn Random) -> Result<Self, String> {
        let client = Client::open(settings.url.as_str()).map_err(|error| error.to_string())?;
        let patience = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.response_timeout))
            .set_number_of_retries(1);
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), patience);
        let manager = manager.map_err(|error| error.to_string())?;
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        let place = Place {
            name: format!("{}:breakers", settings.prefix),
            instance: u64::from_le_bytes(bytes),
            clock: clock.clone(),
        };
        let (told, telling) = mpsc::channel(MOST_WAITING);
        let heard = broadcast::Sender::new(MOST_WAITING);
        let tasks = vec![
            tokio::spawn(tell(place.clone(), manager, telling)),
            tokio::spawn(listen(place, client, heard.clone(), settings.connect_timeout)),
        ];
        Ok(Self { told, heard, tasks })
    }
}

impl Drop for RedisBreakers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl BreakerNews for RedisBreakers {
    fn opened(&self, name: &str, pause: Duration) {
        let _ = self.told.try_send((name.to_owned(), pause));
    }

    fn heard(&self) -> broadcast::Receiver<Opened> {
        self.heard.subscribe()
    }
}

/// Where the news are.
#[derive(Clone)]
struct Place {
    /// Of the channel, and of the hash.
    name: String,
    /// Who tells, so that nobody hears themselves.
    instance: u64,
    clock: Arc<dyn Clock>,
}

impl Place {
    fn now_ms(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    /// Reads who opened a breaker until when; `None` when it was this instance, or is over.
    fn read(&self, name: &str, instance: &str, until: &str) -> Option<Opened> {
        if instance.parse() == Ok(self.instance) {
            return None;
        }
        let left = until.parse::<i64>().ok()?.checked_sub(self.now_ms())?;
        let pause = Duration::from_millis(u64::try_from(left).ok().filter(|left| *left > 0)?);
        Some(Opened { name: name.into(), pause })
    }
}

async fn tell(place: Place, mut connection: ConnectionManager, mut telling: mpsc::Receiver<(String, Duration)>) {
    let mut told = Told::default();
    while let Some((name, pause)) = telling.recv().await {
        let until = place.now_ms().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        let text = format!("{} {until}", place.instance);
        let mut news = redis::pipe();
        news.hset(&place.name, &name, &text).ignore();
        news.expire(&place.name, KEPT_SECONDS).ignore();
        news.publish(&place.name, format!("{text} {name}")).ignore();
        let sent: Result<(), RedisError> = news.query_async(&mut connection).await;
        told.note("breakers", sent);
    }
}

/// Hears what others tell. Whenever it begins to listen it reads first what was told before.
async fn listen(place: Place, client: Client, heard: broadcast::Sender<Opened>, connect_timeout: Duration) {
    loop {
        let subscribe = async {
            let mut news = client.get_async_pubsub().await?;
            news.subscribe(&place.name).await?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            let before: HashMap<String, String> =
                redis::cmd("HGETALL").arg(&place.name).query_async(&mut connection).await?;
            Ok::<_, RedisError>((news, before))
        };
        if let Ok(Ok((news, before))) = tokio::time::timeout(connect_timeout, subscribe).await {
            for (name, text) in before {
                let Some((instance, until)) = text.split_once(' ') else { continue };
                place.read(&name, instance, until).map(|opened| heard.send(opened));
            }
            let mut messages = news.into_on_message();
            while let Some(message) = messages.next().await {
                let Ok(text) = message.get_payload::<String>() else { continue };
                let mut words = text.splitn(3, ' ');
                let (Some(instance), Some(until), Some(name)) = (words.next(), words.next(), words.next()) else {
                    continue;
                };
                place.read(name, instance, until).map(|opened| heard.send(opened));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
