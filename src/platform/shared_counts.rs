//! Counts that every instance of an installation shares: how many of something passed in a sliding window.

use std::time::Duration;

use async_trait::async_trait;

/// What is asked of one key. The window is cut into parts, as instances cut theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Names what is counted; the same in every instance.
    pub key: [u8; 16],
    /// No more than this in any window.
    pub limit: u32,
    /// The window.
    pub window: Duration,
    /// What leaves the window together.
    pub part: Duration,
    /// So many are wanted. More than one is a lease: at most a tenth of what is left is granted, and at least one.
    pub want: u32,
    /// How long after the grant the last of it may be used; it counts as if it were used then.
    pub slack: Duration,
    /// So many of an earlier grant were never used.
    pub back: u32,
    /// The stamp of that grant.
    pub stamp: u64,
}

/// What one key answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// So many may pass; 0: none.
    pub granted: u32,
    /// How many more would have been granted in time.
    pub left: u32,
    /// How long until more is left than now.
    pub reset: Duration,
    /// When the grant leaves, for giving back.
    pub stamp: u64,
}

/// Shared counts.
#[async_trait]
pub trait SharedCounts: Send + Sync {
    /// Whether asking is worth while at this moment. MUST neither wait nor lock.
    fn is_there(&self) -> bool;
    /// Asks all keys at once: each grants, or none counts anything. `None`: no answer in the time that a request may wait for
    /// one. MUST be bounded in time.
    async fn take(&self, asks: &[Ask]) -> Option<Vec<Told>>;
}
