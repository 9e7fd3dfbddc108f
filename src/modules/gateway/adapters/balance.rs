//! Which target a request goes to.

mod tier;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

pub(super) use self::tier::Standing;
use self::tier::Tier;
use super::target::Target;
use crate::{kernel::Random, modules::gateway::config::Balance};

/// After so many draws of targets that cannot be asked, the next one that can is taken.
const MOST_DRAWS: usize = 4;

/// Chooses targets. Weighted turns are laid out once, when it is made, so that a choice is one atomic step.
pub(super) struct Balancer {
    how: Balance,
    /// By a hash, a target has at most so many percent of its even share of the requests in flight; 0: any number.
    bound: u32,
    /// All targets, as they were configured.
    all: Tier,
    /// Where names say who is there, who has which weight and who is a reserve (SRV): the best first.
    tiers: Option<ArcSwap<Vec<Tier>>>,
    cursor: AtomicUsize,
    random: Arc<dyn Random>,
}

impl Balancer {
    /// A balancer for these weights.
    pub(super) fn new(how: Balance, weights: &[u32], random: Arc<dyn Random>) -> Self {
        let all = Tier::new(weights.iter().copied().enumerate());
        Self { how, bound: 0, all, tiers: None, cursor: AtomicUsize::new(0), random }
    }

    /// The same, where a hash gives no target more than so many percent of its even share of the requests in flight; 0: no
    /// bound.
    pub(super) fn bounded(self, percent: u32) -> Self {
        Self { bound: percent, ..self }
    }

    /// The same, where places, weights and priorities come from names.
    pub(super) fn ranked(self) -> Self {
        Self { tiers: Some(ArcSwap::default()), ..self }
    }

    /// Takes what names say now: everybody's weight, and who is asked only when those of better priority cannot be.
    pub(super) fn arrange(&self, standings: impl Iterator<Item = Standing>) {
        if let Some(tiers) = &self.tiers {
            tiers.store(Arc::new(tier::arranged(standings)));
        }
    }

    /// Whether some targets are asked only when others cannot be.
    pub(super) fn has_reserve(&self) -> bool {
        self.tiers.as_ref().is_some_and(|tiers| tiers.load().len() > 1)
    }

    /// Whether two targets share their requests, and neither is the other's reserve.
    pub(super) fn are_peers(&self, one: usize, other: usize) -> bool {
        let Some(tiers) = &self.tiers else { return true };
        tiers.load().iter().any(|tier| tier.members.contains(&one) && tier.members.contains(&other))
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
        match &self.tiers {
            None => self.choose_in(&self.all, targets, tried, key, usable),
            Some(tiers) => tiers.load().iter().find_map(|tier| self.choose_in(tier, targets, tried, key, usable)),
        }
    }

    fn choose_in(
        &self,
        tier: &Tier,
        targets: &[Target],
        tried: &[usize],
        key: Option<u64>,
        usable: impl Fn(&usize) -> bool,
    ) -> Option<usize> {
        match (self.how, key) {
            (Balance::ConsistentHash, Some(key)) => self.by_hash(tier, targets, key, usable),
            (Balance::Random, _) => self.drawn(tier, usable),
            (Balance::LeastRequests, _) => {
                let one = self.drawn(tier, &usable)?;
                let other = self.drawn(tier, |number| *number != one && usable(number)).unwrap_or(one);
                let busy =
                    |number: usize| (in_flight(&targets[number]) + 1) * 1_000_000 / u64::from(targets[number].weight());
                Some(if busy(other) < busy(one) { other } else { one })
            }
            // Whoever is asked in another's place had its own turn.
            _ if !tried.is_empty() => self.drawn(tier, usable),
            _ => self.in_turn(tier, usable),
        }
    }

    /// The target that suits the key best, of those that have room for one more.
    fn by_hash(&self, tier: &Tier, targets: &[Target], key: u64, usable: impl Fn(&usize) -> bool) -> Option<usize> {
        let best = |fits: &dyn Fn(&usize) -> bool| {
            let scored = tier.members.iter().copied().filter(fits).map(|number| (score(key, &targets[number]), number));
            scored.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, number)| number)
        };
        if self.bound == 0 {
            return best(&usable);
        }
        // This request counts too.
        let (mut all, mut weights) = (1, 0);
        for number in tier.members.iter().filter(|number| usable(number)) {
            all += in_flight(&targets[*number]);
            weights += u64::from(targets[*number].weight());
        }
        let has_room = |number: &usize| {
            let share = u64::from(self.bound) * all * u64::from(targets[*number].weight());
            in_flight(&targets[*number]) < share.div_ceil(100 * weights.max(1))
        };
        // Other threads count as well: there may be no room for a moment.
        best(&|number| usable(number) && has_room(number)).or_else(|| best(&usable))
    }

    /// The target whose turn it is. Who cannot be asked loses its turn: were it given to the next one, that one would have
    /// two.
    fn in_turn(&self, tier: &Tier, usable: impl Fn(&usize) -> bool) -> Option<usize> {
        let next = || self.cursor.fetch_add(1, Ordering::Relaxed);
        let own = (0..tier.members.len()).find_map(|_| tier.at(next()).filter(&usable));
        own.or_else(|| tier.from(next(), usable))
    }

    /// Any target, drawn again instead of the next one when it cannot be asked.
    fn drawn(&self, tier: &Tier, usable: impl Fn(&usize) -> bool) -> Option<usize> {
        let own = (0..MOST_DRAWS).find_map(|_| tier.at(self.draw()).filter(&usable));
        own.or_else(|| tier.from(self.draw(), usable))
    }

    fn draw(&self) -> usize {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        usize::from_le_bytes(bytes)
    }
}

fn in_flight(target: &Target) -> u64 {
    target.in_flight.load(Ordering::Relaxed) as u64
}

/// How well a target suits a key: weighted rendezvous hashing, where a target that goes or comes moves only its own share.
fn score(key: u64, target: &Target) -> f64 {
    let mixed = mix(key ^ target.hash());
    // 53 bits make an exact fraction between 0 and 1, never 0.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
    let fraction = ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(target.weight()) / fraction.ln()
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
    use proptest::prelude::*;

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
    fn turns_go_by_weight() {
        assert_eq!(shares(Balance::RoundRobin, &[2, 1], 300, |_| None), [200, 100]);
    }

    #[test]
    fn hashing_keeps_keys_and_shares() {
        let shares = shares(Balance::ConsistentHash, &[3, 1], 10_000, |number| Some(hash_bytes(&number.to_le_bytes())));
        assert!((7_000..8_000).contains(&shares[0]), "{shares:?}");
    }

    #[test]
    fn those_that_are_left_share_what_one_had() {
        let targets = targets(&[1, 1, 1, 1]);
        targets[1].healthy.store(false, Ordering::Relaxed);
        let balancer = Balancer::new(Balance::RoundRobin, &[1, 1, 1, 1], Arc::new(SystemRandom));
        let mut shares = [0; 4];
        for _ in 0..300 {
            shares[balancer.choose(&targets, Duration::ZERO, &[], None).unwrap()] += 1;
        }
        assert_eq!(shares, [100, 0, 100, 100]);
    }

    fn bounded(count: usize) -> (Vec<Target>, Balancer) {
        let weights = vec![1; count];
        (targets(&weights), Balancer::new(Balance::ConsistentHash, &weights, Arc::new(SystemRandom)).bounded(125))
    }

    proptest! {
        /// However keys come and requests end, nobody is given more than the bound allows at that moment.
        #[test]
        fn a_hash_overloads_nobody(count in 2usize..8, steps in proptest::collection::vec((0u64..6, any::<bool>()), 1..300)) {
            let (targets, balancer) = bounded(count);
            let mut running: Vec<usize> = Vec::new();
            for (key, ends) in steps {
                if ends && !running.is_empty() {
                    let over = running.remove(usize::try_from(key).unwrap() % running.len());
                    targets[over].in_flight.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                let chosen = balancer.choose(&targets, Duration::ZERO, &[], Some(mix(key))).unwrap();
                let now = in_flight(&targets[chosen]) + 1;
                targets[chosen].in_flight.fetch_add(1, Ordering::Relaxed);
                running.push(chosen);
                let most = (125 * running.len() as u64).div_ceil(100 * count as u64);
                prop_assert!(now <= most, "{now} of {} at one of {count}", running.len());
            }
        }

        /// While all have equally much to do, a key goes where it would go without a bound.
        #[test]
        fn a_key_stays_where_it_is_when_load_is_even(count in 2usize..8, busy in 0usize..50, key in any::<u64>()) {
            let (targets, balancer) = bounded(count);
            let idle = balancer.choose(&targets, Duration::ZERO, &[], Some(key));
            for target in &targets {
                target.in_flight.store(busy, Ordering::Relaxed);
            }
            prop_assert_eq!(balancer.choose(&targets, Duration::ZERO, &[], Some(key)), idle);
            prop_assert_eq!(balancer.bounded(0).choose(&targets, Duration::ZERO, &[], Some(key)), idle);
        }
    }

    #[test]
    fn a_key_goes_back_when_there_is_room_again() {
        let (targets, balancer) = bounded(4);
        let own = balancer.choose(&targets, Duration::ZERO, &[], Some(7)).unwrap();
        targets[own].in_flight.store(10, Ordering::Relaxed);
        let next = balancer.choose(&targets, Duration::ZERO, &[], Some(7)).unwrap();
        assert_ne!(next, own);
        assert_eq!(balancer.choose(&targets, Duration::ZERO, &[own], Some(7)), Some(next), "as if it were not there");
        targets[own].in_flight.store(0, Ordering::Relaxed);
        assert_eq!(balancer.choose(&targets, Duration::ZERO, &[], Some(7)), Some(own));
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
