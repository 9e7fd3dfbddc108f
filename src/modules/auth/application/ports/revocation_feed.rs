//! How instances learn that something was revoked.

use tokio::sync::watch;

/// Tells every instance that there are new revocations. Which, the store knows: it is asked on every announcement, and now
/// and then without one, so that an announcement that is lost delays a revocation by half a second and no more.
pub(crate) trait RevocationFeed: Send + Sync {
    /// Announces; to be called after what was revoked is in the store. MUST neither wait nor fail.
    fn announce(&self);
    /// Counts what was announced here or anywhere. Announcements of this process MUST count at once; where others may have
    /// been missed, that MUST count too.
    fn heard(&self) -> watch::Receiver<u64>;
}
