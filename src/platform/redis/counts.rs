//! Shared counts in Redis: one script call a decision, and none while Redis does not answer in time.
//!
//! A connection is handed out only while it is known to answer. Whoever meets a fault or waits in vain takes it away, and
//! from then on nobody waits; a task of its own asks Redis twice a second until it answers in time again. Each thread makes
//! a connection of its own beside that one, so that an answer wakes no other thread than the one that waits for it.

use std::{
    cell::RefCell,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, Script, ServerErrorKind, aio::MultiplexedConnection,
};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};

use super::RedisSettings;
use crate::platform::shared_counts::{Ask, SharedCounts, Told};

/// A request never waits longer than this, whatever `response_timeout` says: with what a timer is late, below 50 ms.
const MOST_PATIENCE: Duration = Duration::from_millis(40);
/// Answers in a row that came too late; then nobody asks any more.
const MOST_MISSED: u32 = 3;
/// Between two looks whether Redis is back.
const PAUSE: Duration = Duration::from_millis(500);

/// Counts in Redis.
pub struct RedisCounts {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    client: Client,
    script: Script,
    /// What every key begins with.
    prefix: String,
    connect_timeout: Duration,
    patience: Duration,
    /// There while Redis answers in time.
    there: ArcSwapOption<There>,
    missed: AtomicU32,
    lost: Notify,
}

/// Redis, as long as it answers in time.
struct There {
    /// Tells one such time from another.
    time: u64,
    connection: MultiplexedConnection,
}

/// Names the next time that Redis answers, over all counts of the process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A thread's own connection, for one time that Redis answers; absent until it stands.
struct Own {
    time: u64,
    connection: Option<MultiplexedConnection>,
}

thread_local! {
    static OWN: RefCell<Option<Own>> = const { RefCell::new(None) };
}

impl fmt::Debug for RedisCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCounts").finish_non_exhaustive()
    }
}

impl RedisCounts {
    /// Begins to look for Redis, which needs a tokio runtime. The error says what is wrong with the URL; that Redis cannot be
    /// reached is none.
    pub fn start(settings: &RedisSettings) -> Result<Self, String> {
        let inner = Arc::new(Inner {
            client: Client::open(settings.url.as_str()).map_err(|error| error.to_string())?,
            script: Script::new(include_str!("take.lua")),
            prefix: format!("{}:limit:", settings.prefix),
            connect_timeout: settings.connect_timeout,
            patience: settings.response_timeout.min(MOST_PATIENCE),
            there: ArcSwapOption::empty(),
            missed: AtomicU32::new(0),
            lost: Notify::new(),
        });
        let task = tokio::spawn(keep(inner.clone()));
        Ok(Self { inner, task })
    }
}

impl Drop for RedisCounts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl SharedCounts for RedisCounts {
    fn is_there(&self) -> bool {
        self.inner.there.load().is_some()
    }

    async fn take(&self, asks: &[Ask]) -> Option<Vec<Told>> {
        let inner = &*self.inner;
        let there = inner.there.load_full()?;
        let mut connection = own_connection(&self.inner, &there);
        match timeout(inner.patience, inner.call(&mut connection, asks)).await {
            Ok(Ok(told)) => {
                if inner.missed.load(Ordering::Relaxed) != 0 {
                    inner.missed.store(0, Ordering::Relaxed);
                }
                Some(told)
            }
            Ok(Err(error)) => {
                tracing::debug!(event = "redis_fault", %error);
                inner.lose();
                None
            }
            Err(_) => {
                if inner.missed.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_MISSED {
                    inner.lose();
                }
                None
            }
        }
    }
}

impl Inner {
    /// From now on nobody asks.
    fn lose(&self) {
        if self.there.swap(None).is_some() {
            self.missed.store(0, Ordering::Relaxed);
            self.lost.notify_one();
        }
    }

    async fn call(&self, connection: &mut MultiplexedConnection, asks: &[Ask]) -> Result<Vec<Told>, RedisError> {
        let command = self.command(asks);
        let answer: Result<Vec<i64>, RedisError> = command.query_async(connection).await;
        let answer = match answer {
            // Redis forgets scripts when it starts anew.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.script.load_async(connection).await?;
                command.query_async(connection).await?
            }
            other => other?,
        };
        let number = |number: i64| u32::try_from(number.max(0)).unwrap_or(u32::MAX);
        let long = |number: i64| u64::try_from(number).unwrap_or_default();
        let told = answer.as_chunks::<4>().0.iter().map(|[granted, left, reset, stamp]| Told {
            granted: number(*granted),
            left: number(*left),
            reset: Duration::from_micros(long(*reset)),
            stamp: long(*stamp),
        });
        let told: Vec<_> = told.collect();
        if told.len() != asks.len() {
            return Err(RedisError::from((ErrorKind::UnexpectedReturnType, "not as many answers as questions")));
        }
        Ok(told)
    }

    fn command(&self, asks: &[Ask]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.script.get_hash()).arg(asks.len());
        let mut name = String::with_capacity(self.prefix.len() + 32);
        for ask in asks {
            name.clear();
            name.push_str(&self.prefix);
            name.extend(ask.key.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex));
            command.arg(&name);
        }
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        for ask in asks {
            command.arg(ask.limit).arg(micros(ask.window)).arg(micros(ask.part).max(1));
            command.arg(ask.want).arg(micros(ask.slack)).arg(ask.back).arg(ask.stamp);
        }
        command
    }

    /// A connection on which the script itself ran in time: one that takes no writes is of no use.
    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let late = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.connect_timeout));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let probe = Ask {
            key: [0; 16],
            limit: u32::MAX,
            window: Duration::from_secs(1),
            part: Duration::from_secs(1),
            want: 1,
            slack: Duration::ZERO,
            back: 0,
            stamp: 0,
        };
        // The first call may have to bring the script.
        for patience in [self.connect_timeout, self.patience] {
            timeout(patience, self.call(&mut connection, std::slice::from_ref(&probe))).await.map_err(|_| late())??;
        }
        Ok(connection)
    }
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

/// This thread's connection; while it is being made, the one of all.
fn own_connection(inner: &Arc<Inner>, there: &There) -> MultiplexedConnection {
    OWN.with_borrow_mut(|own| {
        if let Some(own) = own.as_ref().filter(|own| own.time == there.time) {
            return own.connection.as_ref().unwrap_or(&there.connection).clone();
        }
        *own = Some(Own { time: there.time, connection: None });
        tokio::spawn(make_own(inner.clone(), there.time));
        there.connection.clone()
    })
}

/// Makes a connection for the thread that this runs on.
async fn make_own(inner: Arc<Inner>, time: u64) {
    let Ok(connection) = inner.connect().await else { return };
    OWN.with_borrow_mut(|own| {
        if let Some(own) = own.as_mut().filter(|own| own.time == time) {
            own.connection = Some(connection);
        }
    });
}

/// Sees to it that there is a connection whenever Redis answers in time.
async fn keep(inner: Arc<Inner>) {
    let told = |detail: &str| {
        tracing::warn!(
            event = "redis_away",
            what = "limits",
            error = detail,
            detail = "each instance limits by itself"
        );
    };
    let mut away = false;
    loop {
        match inner.connect().await {
            Ok(connection) => {
                if away {
                    tracing::info!(event = "redis_back", what = "limits");
                }
                let time = NEXT.fetch_add(1, Ordering::Relaxed);
                inner.there.store(Some(Arc::new(There { time, connection })));
                inner.lost.notified().await;
                told("a request got no answer in time");
            }
            Err(error) if !away => told(&error.to_string()),
            Err(_) => {}
        }
        away = true;
        tokio::time::sleep(PAUSE).await;
    }
}
