//! Which sessions were ended before their tokens expired, as this process knows it.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use crate::kernel::{Clock, SessionId};

/// A local copy of the revocation set. Looking a session up is one read of a hash map. All of it goes by monotonic time: a
/// clock that is set neither brings a session back nor makes old knowledge look new.
pub struct RevocationSet {
    clock: Arc<dyn Clock>,
    started: Instant,
    /// Session → when the last of its access tokens has expired, after which the entry is of no use.
    sessions: RwLock<HashMap<SessionId, Instant>>,
    /// When the copy was last known to be complete, in microseconds since the start, and one; 0: never.
    complete_at: AtomicU64,
}

impl RevocationSet {
    /// An empty set, which is not complete.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { started: clock.monotonic(), clock, sessions: RwLock::default(), complete_at: AtomicU64::new(0) }
    }

    /// Adds sessions; each with the time its last access token expires.
    pub fn add(&self, ended: impl IntoIterator<Item = (SessionId, DateTime<Utc>)>) {
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        let left = |until: DateTime<Utc>| (until - now).to_std().unwrap_or_default();
        let ended = ended.into_iter().map(|(session, until)| (session, monotonic + left(until)));
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).extend(ended);
    }

    /// Notes that everything revoked before `at` is in the set, and drops what has expired.
    pub fn complete(&self, at: Instant) {
        self.complete_at.store(self.micros(at) + 1, Ordering::Release);
        let anything_expired =
            self.sessions.read().unwrap_or_else(PoisonError::into_inner).values().any(|until| *until < at);
        if anything_expired {
            self.sessions.write().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until >= at);
        }
    }

    /// Whether the session was ended.
    pub fn contains(&self, session: SessionId) -> bool {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session)
    }

    /// Whether the copy was complete no longer than `max_age` ago.
    pub fn is_fresh(&self, max_age: Duration) -> bool {
        let complete_at = self.complete_at.load(Ordering::Acquire);
        let age = (self.micros(self.clock.monotonic()) + 1).saturating_sub(complete_at);
        complete_at != 0 && u128::from(age) <= max_age.as_micros()
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_micros()).unwrap_or(u64::MAX - 1)
    }
}

impl std::fmt::Debug for RevocationSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevocationSet").field("complete_at", &self.complete_at).finish_non_exhaustive()
    }
}
