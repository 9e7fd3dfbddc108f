//! Which target a request goes to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::target::Target;
use crate::{kernel::Random, modules::gateway::config::Balance};

/// Chooses targets. Weighted turns are laid out once, when it is made, so that a choice is one atomic step.
pub(super) struct Balancer {
    how: Balance,
    /// Targets in the order of their turns, each as often as its weight.
    turns: Vec<usize>,
    cursor: AtomicUsize,
    random: Arc<dyn Random>,
}

impl Balancer {
    /// A balancer for these weights.
    pub(super) fn new(how: Balance, weights: &[u32], random: Arc<dyn Random>) -> Self {
        Self { how, turns: smooth_turns(weights), cursor: AtomicUsize::new(0), random }
    }

    /// A target that is available and was not `tried`. `key` is what a consistent hash goes by.
    pub(super) fn choose(&self, targets: &[Target], now: Duration, tried: &[usize], key: Option<u64>) -> Option<usize> {
        self.choose_where(targets, tried, key, |target| target.is_available(now))
    }

    /// The same among targets that are `good` enough.
    pub(super) fn choose_where(
        &self,
        targets: &[Target],
        tried: &[usize],
        key: Option<u64>,
        good: impl Fn(&Target) -> bool,
    ) -> Option<usize> {
        if let [only] = targets {
            return (good(only) && tried.is_empty()).then_some(0);
        }
        let usable = |number: &usize| !tried.contains(number) && good(&targets[*number]);
        match (self.how, key) {
            (Balance::ConsistentHash, Some(key)) => {
                let mut numbers =
                    (0..targets.len()).filter(usable).map(|number| (score(key, &targets[number]), number));
                let first = numbers.next()?;
                Some(numbers.fold(first, |best, next| if next.0 > best.0 { next } else { best }).1)
            }
            (Balance::Random, _) => self.from(self.draw(), usable),
            (Balance::LeastRequests, _) => {
                let one = self.from(self.draw(), usable)?;
                let other = self.from(self.draw(), |number| *number != one && usable(number)).unwrap_or(one);
                let busy = |number: usize| {
                    (targets[number].in_flight.load(Ordering::Relaxed) + 1) * 1000 / targets[number].weight as usize
                };
                Some(if busy(other) < busy(one) { other } else { one })
            }
            _ => self.from(self.cursor.fetch_add(1, Ordering::Relaxed), usable),
        }
    }

    /// The first usable target from this turn on.
    fn from(&self, turn: usize, usable: impl Fn(&usize) -> bool) -> Option<usize> {
        let start = turn % self.turns.len().max(1);
        self.turns[start..].iter().chain(&self.turns[..start]).copied().find(|number| usable(number))
    }

    fn draw(&self) -> usize {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        usize::from_le_bytes(bytes)
    }
}

/// Each target as often as its weight says, spread evenly: the one that is most behind its share has the turn.
fn smooth_turns(weights: &[u32]) -> Vec<usize> {
    let total: i64 = weights.iter().map(|weight| i64::from(*weight)).sum();
    let mut credit = vec![0i64; weights.len()];
    let mut turns = Vec::new();
    for _ in 0..total {
        for (credit, weight) in credit.iter_mut().zip(weights) {
            *credit += i64::from(*weight);
        }
        let most = credit.iter().enumerate().max_by_key(|(number, credit)| (**credit, std::cmp::Reverse(*number)));
        let Some((number, _)) = most else { break };
        credit[number] -= total;
        turns.push(number);
    }
    turns
}

/// How well a target suits a key: weighted rendezvous hashing, where a target that goes or comes moves only its own share.
fn score(key: u64, target: &Target) -> f64 {
    let mixed = mix(key ^ target.hash());
    // 53 bits make an exact fraction between 0 and 1, never 0.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
    let fraction = ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(target.weight) / fraction.ln()
}

/// FNV-1a: the same in every process and every release, so that instances agree.
pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Spreads every bit over all (the finaliser of MurmurHash3).
pub(super) fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::random::SystemRandom;

    fn targets(weights: &[u32]) -> Vec<Target> {
        let one = |(number, weight): (usize, &u32)| Target::parse(&format!("http://t{number}:80"), *weight).unwrap();
        weights.iter().enumerate().map(one).collect()
    }

    fn shares(how: Balance, weights: &[u32], tries: u64, key: impl Fn(u64) -> Option<u64>) -> Vec<usize> {
        let targets = targets(weights);
        let balancer = Balancer::new(how, weights, Arc::new(SystemRandom));
        let mut shares = vec![0; weights.len()];
        for number in 0..tries {
            shares[balancer.choose(&targets, Duration::ZERO, &[], key(number)).unwrap()] += 1;
        }
        shares
    }

    #[test]
    fn turns_are_smooth() {
        assert_eq!(smooth_turns(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(shares(Balance::RoundRobin, &[2, 1], 300, |_| None), [200, 100]);
    }

    #[test]
    fn hashing_keeps_keys_and_shares() {
        let shares = shares(Balance::ConsistentHash, &[3, 1], 10_000, |number| Some(hash_bytes(&number.to_le_bytes())));
        assert!((7_000..8_000).contains(&shares[0]), "{shares:?}");
    }

    #[test]
    fn what_is_out_or_was_tried_is_not_chosen() {
        let targets = targets(&[1, 1, 1]);
        targets[0].healthy.store(false, Ordering::Relaxed);
        for how in [Balance::RoundRobin, Balance::Random, Balance::LeastRequests, Balance::ConsistentHash] {
            let balancer = Balancer::new(how, &[1, 1, 1], Arc::new(SystemRandom));
            for _ in 0..20 {
                assert_eq!(balancer.choose(&targets, Duration::ZERO, &[1], Some(7)), Some(2), "{how:?}");
                assert_eq!(balancer.choose(&targets, Duration::ZERO, &[1, 2], Some(7)), None, "{how:?}");
            }
        }
    }
}
