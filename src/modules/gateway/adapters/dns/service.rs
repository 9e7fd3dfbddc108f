//! What SRV records say of the places of a service (RFC 2782): the lowest priority is asked first, and of that everybody by
//! weight.

use std::{collections::BTreeMap, net::SocketAddr};

use super::Places;
use crate::modules::gateway::adapters::target::Target;

/// One record, and where its host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) addresses: Vec<SocketAddr>,
}

/// What is said of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::modules::gateway::adapters) struct Said {
    pub(in crate::modules::gateway::adapters) priority: u16,
    /// In hundredths of what the average of its priority has; at least one.
    pub(in crate::modules::gateway::adapters) weight: u32,
}

impl Said {
    /// The same in the measure of a target: what it was configured to get is the average.
    pub(super) fn of(self, target: &Target) -> Self {
        Self { weight: self.weight.saturating_mul(target.configured_weight()), ..self }
    }
}

/// What the records say of each address. The addresses of one record share its weight; one that several name is of the best.
pub(super) fn said(places: &[Place]) -> Places {
    let mut priorities: BTreeMap<u16, Vec<(SocketAddr, u64)>> = BTreeMap::new();
    for place in places {
        let count = place.addresses.len().max(1) as u64;
        let shares = place.addresses.iter().map(|address| (*address, u64::from(place.weight) * FINE / count));
        priorities.entry(place.priority).or_default().extend(shares);
    }
    let mut said = Places::new();
    for (priority, shares) in priorities {
        let total: u64 = shares.iter().map(|(_, share)| share).sum();
        for (address, share) in &shares {
            let weight = match total {
                0 => 100,
                total => u32::try_from(share * 100 * shares.len() as u64 / total).unwrap_or(u32::MAX).max(1),
            };
            said.entry(*address).or_insert(Some(Said { priority, weight }));
        }
    }
    said
}

/// Parts of a weight, so that it can be shared.
const FINE: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn weights_are_of_the_average_of_their_priority() {
        let place = |priority, weight, ports: &[u16]| Place {
            priority,
            weight,
            addresses: ports.iter().map(|port| at(*port)).collect(),
        };
        let said = said(&[place(10, 60, &[1, 2]), place(10, 0, &[3]), place(20, 0, &[4]), place(20, 0, &[5, 1])]);
        let of = |port| said[&at(port)].map(|said| (said.priority, said.weight)).unwrap();
        assert_eq!([of(1), of(2), of(3)], [(10, 150), (10, 150), (10, 1)]);
        assert_eq!([of(4), of(5)], [(20, 100), (20, 100)]);
    }
}
