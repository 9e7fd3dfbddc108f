//! A bell that every instance of an installation hears: one rings it when something has changed that the others should look
//! at. What has changed is not said; the database knows. Who misses a ring finds out by looking now and then.

use tokio::sync::watch;

/// The bell.
pub trait Bell: Send + Sync {
    /// Rings, here at once and everywhere else as soon as may be. MUST neither wait nor fail.
    fn ring(&self);
    /// Counts the rings that were heard here. MUST count once more when some may have been missed.
    fn heard(&self) -> watch::Receiver<u64>;
}

/// The bell of an installation that is this process alone, or whose instances look often enough.
#[derive(Debug, Default)]
pub struct LocalBell(watch::Sender<u64>);

impl Bell for LocalBell {
    fn ring(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    fn heard(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
