//! What is on its way out: kept from the moment it is due to somebody until it was delivered.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Who delivers an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// As a mail.
    Mail,
}

impl Channel {
    /// The name in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
        }
    }
}

/// Something that waits to be delivered.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OutboxEntry {
    /// Names it for whoever receives it, who may get it twice. In the order of their making, to the millisecond.
    pub(crate) id: Uuid,
    pub(crate) channel: Channel,
    /// Entries of one key are delivered in the order of their ids: of a mail its recipient.
    pub(crate) key: String,
    /// In the form in which it is kept: sealed where there is a master key.
    pub(crate) content: Vec<u8>,
    pub(crate) created_at: DateTime<Utc>,
}

impl std::fmt::Debug for OutboxEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboxEntry").field("id", &self.id).field("key", &self.key).finish_non_exhaustive()
    }
}

/// How long a delivery is tried for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryRule {
    /// How often at most.
    pub(crate) attempts: u32,
    /// The wait after the first failure; each one after it is twice as long.
    pub(crate) first: TimeDelta,
    /// The longest wait.
    pub(crate) longest: TimeDelta,
}

impl RetryRule {
    /// How long to wait after so many attempts; `None` when there is none left.
    pub(crate) fn wait_after(&self, attempts: u32) -> Option<TimeDelta> {
        if attempts >= self.attempts {
            return None;
        }
        let doubled = 1i32.checked_shl(attempts.saturating_sub(1)).filter(|factor| *factor > 0);
        let wait = doubled.and_then(|factor| self.first.checked_mul(factor));
        Some(wait.unwrap_or(self.longest).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let rule = RetryRule { attempts: 40, first: TimeDelta::seconds(5), longest: TimeDelta::minutes(1) };
        let waits = [1, 2, 3, 4, 5, 33, 39].map(|attempts| rule.wait_after(attempts).map(|wait| wait.num_seconds()));
        assert_eq!(waits, [Some(5), Some(10), Some(20), Some(40), Some(60), Some(60), Some(60)]);
        assert_eq!(rule.wait_after(40), None);
        assert_eq!(RetryRule { attempts: 1, ..rule }.wait_after(1), None);
    }
}
