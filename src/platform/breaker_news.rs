//! What instances tell each other of circuit breakers: that one has opened, so that not every instance has to find out by
//! failures of its own. How it closes again, each finds out for itself.

use std::{sync::Arc, time::Duration};

use tokio::sync::broadcast;

/// A breaker opened somewhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Of whom.
    pub name: Arc<str>,
    /// For how long yet.
    pub pause: Duration,
}

/// News of breakers.
pub trait BreakerNews: Send + Sync {
    /// Tells the other instances that a breaker opened for so long. MUST neither wait nor fail.
    fn opened(&self, name: &str, pause: Duration);
    /// What other instances tell from now on, and what they told before and still holds.
    fn heard(&self) -> broadcast::Receiver<Opened>;
}
