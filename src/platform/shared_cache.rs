//! What instances keep for each other, and what they tell each other of it: a second level behind each process's own cache.
//! It may be slow, lose everything or be away at any time; nothing but speed is lost with it.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;

/// It cannot be asked, or did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared cache is away")]
pub struct Away;

/// What is heard of other instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// One has told this.
    Told(String),
    /// Something may have been told that was not heard here.
    Missed,
}

/// The second level.
#[async_trait]
pub trait SharedCache: Send + Sync {
    /// The fields of an entry, in the order they are asked for. MUST answer within the time that it was set up with.
    async fn read(&self, entry: &str, fields: &[String]) -> Result<Vec<Option<Vec<u8>>>, Away>;
    /// Adds fields to an entry, which then lives for `time`; one that has more than `most` goes first.
    async fn write(&self, entry: &str, fields: Vec<(String, Vec<u8>)>, time: Duration, most: usize)
    -> Result<(), Away>;
    /// Removes an entry.
    async fn remove(&self, entry: &str) -> Result<(), Away>;
    /// What all entries that count belong to now; changed by `tell`.
    async fn generation(&self) -> Result<Option<String>, Away>;
    /// Tells every instance, this one too, and begins a generation with it where one is given. MUST neither wait nor fail;
    /// what cannot be told now is told later.
    fn tell(&self, news: String, generation: Option<String>);
    /// What is told from now on.
    fn hear(&self) -> broadcast::Receiver<News>;
}
