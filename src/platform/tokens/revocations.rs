//! Which sessions were ended before their tokens expired, as this process knows it.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::{DateTime, Utc};

use crate::kernel::SessionId;

/// A local copy of the revocation set. Looking a session up is one read of a hash map.
#[derive(Debug, Default)]
pub struct RevocationSet {
    /// Session → when the last of its access tokens has expired, after which the entry is of no use.
    sessions: RwLock<HashMap<SessionId, DateTime<Utc>>>,
    /// When the copy was last known to be complete, in microseconds since 1970; 0: never.
    complete_at: AtomicI64,
}

impl RevocationSet {
    /// Adds sessions; each with the time its last access token expires.
    pub fn add(&self, ended: impl IntoIterator<Item = (SessionId, DateTime<Utc>)>) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).extend(ended);
    }

    /// Notes that everything revoked before `now` is in the set, and drops what has expired.
    pub fn complete(&self, now: DateTime<Utc>) {
        self.complete_at.store(now.timestamp_micros(), Ordering::Release);
        let anything_expired =
            self.sessions.read().unwrap_or_else(PoisonError::into_inner).values().any(|until| *until < now);
        if anything_expired {
            self.sessions.write().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until >= now);
        }
    }

    /// Whether the session was ended.
    pub fn contains(&self, session: SessionId) -> bool {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session)
    }

    /// Whether the copy was complete within `max_age` before `now`.
    pub fn is_fresh(&self, now: DateTime<Utc>, max_age: std::time::Duration) -> bool {
        let age = now.timestamp_micros().saturating_sub(self.complete_at.load(Ordering::Acquire));
        u128::try_from(age).unwrap_or_default() <= max_age.as_micros()
    }
}
