//! Targets that share requests, and the turns they have.

use std::collections::BTreeMap;

/// So many turns are laid out at most: weights beyond are rounded.
const MOST_TURNS: u64 = 20_000;

/// Targets that share requests.
#[derive(Debug)]
pub(super) struct Tier {
    pub(super) members: Vec<usize>,
    /// Members in the order of their turns, each as often as its weight.
    turns: Vec<usize>,
}

/// What is said of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::modules::gateway::adapters) struct Standing {
    pub(in crate::modules::gateway::adapters) target: usize,
    pub(in crate::modules::gateway::adapters) weight: u32,
    /// Lower ones are asked first; `None`: always with the first.
    pub(in crate::modules::gateway::adapters) priority: Option<u16>,
}

impl Tier {
    /// Targets with their weights.
    pub(super) fn new(targets: impl Iterator<Item = (usize, u32)>) -> Self {
        let (members, weights): (Vec<usize>, Vec<u32>) = targets.unzip();
        let turns = smooth_turns(&reduced(&weights)).into_iter().map(|place| members[place]).collect();
        Self { members, turns }
    }

    /// The target that has this turn.
    pub(super) fn at(&self, turn: usize) -> Option<usize> {
        self.turns.get(turn % self.turns.len().max(1)).copied()
    }

    /// The first usable target from this turn on.
    pub(super) fn from(&self, turn: usize, usable: impl Fn(&usize) -> bool) -> Option<usize> {
        let start = turn % self.turns.len().max(1);
        self.turns[start..].iter().chain(&self.turns[..start]).copied().find(|number| usable(number))
    }
}

/// The tiers that these targets make, the best first (RFC 2782: all of the lowest priority that can be reached).
pub(super) fn arranged(standings: impl Iterator<Item = Standing>) -> Vec<Tier> {
    let (ranked, always): (Vec<_>, Vec<_>) = standings.partition(|standing| standing.priority.is_some());
    let mut tiers: BTreeMap<u16, Vec<(usize, u32)>> = BTreeMap::new();
    for standing in ranked {
        tiers.entry(standing.priority.unwrap_or_default()).or_default().push((standing.target, standing.weight));
    }
    let always = always.into_iter().map(|standing| (standing.target, standing.weight));
    match tiers.values_mut().next() {
        Some(first) => first.extend(always),
        None => drop(tiers.insert(0, always.collect())),
    }
    tiers.into_values().map(|targets| Tier::new(targets.into_iter())).collect()
}

/// The same proportions in small numbers.
fn reduced(weights: &[u32]) -> Vec<u32> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let mut weights: Vec<u32> = weights.iter().map(|weight| weight / divisor).collect();
    while weights.iter().map(|weight| u64::from(*weight)).sum::<u64>() > MOST_TURNS.max(weights.len() as u64) {
        for weight in &mut weights {
            *weight = weight.div_ceil(2);
        }
    }
    weights
}

fn gcd(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { gcd(other, one % other) }
}

/// Each place as often as its weight says, spread evenly: the one that is most behind its share has the turn.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_smooth_and_few() {
        assert_eq!(smooth_turns(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(reduced(&[300, 100, 0]), [3, 1, 0]);
        let many: u64 = reduced(&[1_000_000, 999_999, 1]).iter().map(|weight| u64::from(*weight)).sum();
        assert!(many <= MOST_TURNS, "{many}");
    }

    #[test]
    fn the_best_priority_is_first_and_those_without_one_are_with_it() {
        let standing = |target, weight, priority| Standing { target, weight, priority };
        let all = [standing(0, 1, Some(20)), standing(1, 3, Some(10)), standing(2, 1, Some(10)), standing(3, 1, None)];
        let tiers = arranged(all.into_iter());
        assert_eq!(tiers.iter().map(|tier| tier.members.clone()).collect::<Vec<_>>(), [vec![1, 2, 3], vec![0]]);
        let turns = (0..5).map(|turn| tiers[0].from(turn, |_| true).unwrap());
        assert_eq!(turns.filter(|target| *target == 1).count(), 3);
        assert_eq!(arranged([standing(3, 1, None)].into_iter())[0].members, [3]);
        assert!(arranged(std::iter::empty()).iter().all(|tier| tier.from(7, |_| true).is_none()));
    }
}
