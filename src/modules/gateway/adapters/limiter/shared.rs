//! The limiter of several instances: Redis is asked where one policy needs it, and what it grants is counted here too, so
//! that this instance can go on by itself from what it has let through.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};

use super::{Limiter, Policy, Subject};
use crate::{
    modules::gateway::{
        adapters::limits::{Decision, Limits, MOST_POLICIES, Verdict},
        config::LimitMode,
        domain::window::Standing,
    },
    platform::shared_counts::{Ask, SharedCounts, Told},
};

/// What an instance may spend by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    /// Not spent yet.
    left: u32,
    /// Until when.
    until: Duration,
    /// How many there were.
    size: u32,
    /// What else was left, at Redis.
    elsewhere: u32,
    /// Names the grant, for giving back.
    stamp: u64,
}

/// What becomes of one policy before Redis is asked.
#[derive(Debug, Clone, Copy, Default)]
enum Plan {
    /// Redis decides.
    #[default]
    Ask,
    /// One of a lease was spent.
    Spent(Standing),
}

impl Limiter {
    /// Decides with what all instances have let through. A request waits for one answer of Redis at most.
    pub(super) async fn take_shared(
        &self,
        shared: &dyn SharedCounts,
        limits: &Limits,
        subjects: &[Subject<'_>; MOST_POLICIES],
        now: Duration,
    ) -> Decision {
        // What this instance refuses by itself, Redis would refuse too: a flood costs it nothing.
        let decision = self.look(limits, subjects, now);
        if !decision.passes() {
            return decision;
        }
        let mut plans = [Plan::Ask; MOST_POLICIES];
        let mut asks = Vec::with_capacity(limits.policies.len());
        for (number, policy) in limits.policies.iter().enumerate() {
            plans[number] = self.plan(policy, subjects[number], now);
            if matches!(plans[number], Plan::Ask) {
                asks.push(self.ask(policy, subjects[number], now));
            }
        }
        let told = if asks.is_empty() { Some(Vec::new()) } else { shared.take(&asks).await };
        let Some(told) = told else {
            // No answer: on from what this instance has let through.
            limits.note_alone();
            return self.take_local(limits, subjects, now);
        };
        let refused = told.iter().any(|told| told.granted == 0);
        let mut told = told.iter();
        let mut decision = Decision::default();
        for (number, policy) in limits.policies.iter().enumerate() {
            let subject = subjects[number];
            let verdict = match plans[number] {
                Plan::Spent(standing) => self.settle(policy, subject, standing, refused, now),
                Plan::Ask => {
                    let told = told.next().copied().unwrap_or_default();
                    self.note_told(policy, subject, &told, refused, now)
                }
            };
            decision.tell(number, &verdict);
        }
        decision
    }

    /// Spends one of a lease, where there is one.
    fn plan(&self, policy: &Policy, subject: Subject<'_>, now: Duration) -> Plan {
        if policy.mode == LimitMode::Exact {
            return Plan::Ask;
        }
        self.with_entry(policy, subject, |entry| match &mut entry.lease {
            Some(lease) if lease.left > 0 && now < lease.until => {
                lease.left -= 1;
                let reset = lease.until.saturating_sub(now);
                let remaining = lease.left + lease.elsewhere;
                Plan::Spent(Standing { passes: true, remaining, reset })
            }
            _ => Plan::Ask,
        })
    }

    /// The question to Redis.
    fn ask(&self, policy: &Policy, subject: Subject<'_>, now: Duration) -> Ask {
        let mut ask = Ask {
            key: key(policy, subject),
            limit: policy.limit.count(),
            window: policy.limit.window(),
            part: policy.limit.part(),
            want: 1,
            slack: Duration::ZERO,
            back: 0,
            stamp: 0,
        };
        if policy.mode == LimitMode::Exact {
            return ask;
        }
        ask.slack = policy.limit.part();
        self.with_entry(policy, subject, |entry| {
            let Some(lease) = &mut entry.lease else { return };
            // What was used up in time is taken twice as large the next time; of what was not, as much as was used.
            let used = lease.size - lease.left;
            ask.want = if lease.left == 0 && now < lease.until { lease.size.saturating_mul(2) } else { used.max(1) };
            // Given back once, whoever else asks at this moment.
            (ask.back, ask.stamp) = (std::mem::take(&mut lease.left), lease.stamp);
            lease.size = used;
        });
        ask
    }

    /// Ends what a lease began: it counts here too, or the lease gets its one back.
    fn settle(
        &self,
        policy: &Policy,
        subject: Subject<'_>,
        standing: Standing,
        refused: bool,
        now: Duration,
    ) -> Verdict {
        self.with_entry(policy, subject, |entry| {
            if !refused {
                entry.counts.note(&policy.limit, now);
            } else if let Some(lease) = entry.lease.as_mut().filter(|lease| lease.left < lease.size) {
                lease.left += 1;
            }
        });
        Verdict { standing, paced: None }
    }

    /// Keeps what Redis said.
    fn note_told(&self, policy: &Policy, subject: Subject<'_>, told: &Told, refused: bool, now: Duration) -> Verdict {
        let standing = Standing { passes: told.granted > 0, remaining: told.left, reset: told.reset };
        self.with_entry(policy, subject, |entry| {
            if told.granted == 0 {
                // Until then nothing passes, wherever it is asked.
                entry.shut_until = now + told.reset;
            }
            if refused {
                return;
            }
            entry.counts.note(&policy.limit, now);
            if policy.mode == LimitMode::Leased {
                // Others of this key may have asked at the same moment: what they brought is added up.
                let mut lease = Lease {
                    left: told.granted - 1,
                    until: now + policy.limit.part(),
                    size: told.granted,
                    elsewhere: told.left,
                    stamp: told.stamp,
                };
                if let Some(also) = entry.lease.take().filter(|also| also.left > 0 && now < also.until) {
                    lease.left += also.left;
                    lease.size += also.left;
                    lease.until = lease.until.min(also.until);
                    lease.stamp = lease.stamp.min(also.stamp);
                }
                entry.lease = Some(Box::new(lease));
            }
        });
        let remaining = standing.remaining.saturating_add(told.granted.saturating_sub(1));
        Verdict { standing: Standing { remaining, ..standing }, paced: None }
    }
}

/// The name of a count in every instance: a hash, so that Redis holds nobody's address.
fn key(policy: &Policy, subject: Subject<'_>) -> [u8; 16] {
    let mut hash = Context::new(&SHA256);
    hash.update(policy.seed.as_bytes());
    match subject {
        Subject::Ip(std::net::IpAddr::V4(address)) => {
            hash.update(b"4");
            hash.update(&address.octets());
        }
        Subject::Ip(std::net::IpAddr::V6(address)) => {
            hash.update(b"6");
            hash.update(&address.octets()[..8]);
        }
        Subject::User(user) => {
            hash.update(b"u");
            hash.update(user.0.as_bytes());
        }
        Subject::Text(text) => {
            hash.update(b"t");
            hash.update(text);
        }
        Subject::Everybody => hash.update(b"e"),
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finish().as_ref()[..16]);
    key
}

#[cfg(test)]
mod tests;
