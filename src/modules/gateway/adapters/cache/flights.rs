//! One upstream call for many requests of the same kind: the first fetches, the others wait for what it gets.

use std::{
    collections::{HashMap, hash_map},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

/// What is fetched: a URL on a route, for those whose selecting headers say this.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) key: Arc<str>,
    pub(super) route: [u8; 16],
    pub(super) digest: [u8; 32],
    pub(super) credentialed: bool,
}

/// How a flight ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Landing {
    /// It has not.
    Flying,
    /// An answer is kept.
    Stored,
    /// The answer was for the one who fetched it alone.
    Passed,
    /// The upstream failed.
    Failed,
    /// Who fetched it went away.
    Abandoned,
}

/// Who fetches what.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Wanted, watch::Receiver<Landing>>>);

/// Whether one fetches or waits.
pub(super) enum Part {
    Lead(Lead),
    Wait(watch::Receiver<Landing>),
}

/// The right and the duty to fetch; the others learn of its end, whatever that is.
#[derive(Debug)]
pub(super) struct Lead {
    flights: Arc<Flights>,
    wanted: Wanted,
    landing: watch::Sender<Landing>,
}

impl Flights {
    /// Takes part in fetching.
    pub(super) fn take_part(self: &Arc<Self>, wanted: Wanted) -> Part {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match flights.entry(wanted) {
            hash_map::Entry::Occupied(flight) => Part::Wait(flight.get().clone()),
            hash_map::Entry::Vacant(place) => {
                let (landing, waiting) = watch::channel(Landing::Flying);
                let wanted = place.key().clone();
                place.insert(waiting);
                Part::Lead(Lead { flights: self.clone(), wanted, landing })
            }
        }
    }

    /// How many are under way.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Lead {
    /// Tells the others how it ended.
    pub(super) fn land(self, landing: Landing) {
        self.landing.send_replace(landing);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.wanted);
        self.landing.send_if_modified(|landing| {
            let abandoned = *landing == Landing::Flying;
            if abandoned {
                *landing = Landing::Abandoned;
            }
            abandoned
        });
    }
}

/// Waits until the flight has ended.
pub(super) async fn landed(mut flight: watch::Receiver<Landing>) -> Landing {
    let landed = flight.wait_for(|landing| *landing != Landing::Flying).await;
    landed.map_or(Landing::Abandoned, |landing| *landing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(key: &str) -> Wanted {
        Wanted { key: key.into(), route: [0; 16], digest: [0; 32], credentialed: false }
    }

    #[tokio::test]
    async fn one_leads_and_the_others_learn_of_every_end() {
        let flights = Arc::new(Flights::default());
        for end in [Some(Landing::Stored), Some(Landing::Passed), None] {
            let Part::Lead(lead) = flights.take_part(wanted("a")) else { panic!("nobody is there yet") };
            assert!(matches!(flights.take_part(wanted("b")), Part::Lead(_)), "another URL is another flight");
            let Part::Wait(waiting) = flights.take_part(wanted("a")) else { panic!("there is one") };
            match end {
                Some(end) => lead.land(end),
                None => drop(lead),
            }
            assert_eq!(landed(waiting).await, end.unwrap_or(Landing::Abandoned));
            assert_eq!(flights.count(), 0);
        }
    }
}
