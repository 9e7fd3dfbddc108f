//! Values that instances keep for each other, each for its time. They may be lost at any time; nothing but work is lost with
//! them.

use std::time::Duration;

use async_trait::async_trait;

/// The values.
#[async_trait]
pub trait SharedValues: Send + Sync {
    /// What is kept under this name; `None`: nothing, or it cannot be asked for now. MUST NOT take longer than 50 ms.
    async fn get(&self, name: &str) -> Option<Vec<u8>>;
    /// Keeps a value for so long, if that can be done. MUST NOT wait for it.
    fn put(&self, name: &str, value: Vec<u8>, time: Duration);
}
