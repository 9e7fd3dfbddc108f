//! What policies have decided since the start. A policy that is loaded again unchanged goes on counting.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// The decisions of one policy.
#[derive(Debug, Default)]
pub(in crate::modules::gateway::adapters) struct Tally {
    allowed: AtomicU64,
    refused: AtomicU64,
    /// Those of the two that this instance made alone, though counts are shared.
    alone: AtomicU64,
}

/// How many decisions there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::modules::gateway::adapters) struct Decided {
    pub(in crate::modules::gateway::adapters) allowed: u64,
    pub(in crate::modules::gateway::adapters) refused: u64,
    pub(in crate::modules::gateway::adapters) alone: u64,
}

impl Tally {
    pub(in crate::modules::gateway::adapters) fn allow(&self) {
        self.allowed.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::modules::gateway::adapters) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::modules::gateway::adapters) fn decide_alone(&self) {
        self.alone.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::modules::gateway::adapters) fn decided(&self) -> Decided {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Decided { allowed: read(&self.allowed), refused: read(&self.refused), alone: read(&self.alone) }
    }
}

/// The tallies of the policies in effect, by what tells policies apart.
#[derive(Debug, Default)]
pub(in crate::modules::gateway::adapters) struct Tallies(Mutex<HashMap<u64, Weak<Tally>>>);

impl Tallies {
    /// The tally of a policy: the one it had, or a new one.
    pub(super) fn of(&self, policy: u64) -> Arc<Tally> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, tally| tally.strong_count() > 0);
        if let Some(tally) = known.get(&policy).and_then(Weak::upgrade) {
            return tally;
        }
        let tally = Arc::default();
        known.insert(policy, Arc::downgrade(&tally));
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_kept_as_long_as_somebody_counts() {
        let tallies = Tallies::default();
        let first = tallies.of(7);
        first.allow();
        assert_eq!(tallies.of(7).decided().allowed, 1);
        assert_eq!(tallies.of(8).decided().allowed, 0);
        drop(first);
        assert_eq!(tallies.of(7).decided(), Decided { allowed: 0, refused: 0, alone: 0 });
    }
}
