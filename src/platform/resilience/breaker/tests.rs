//! The breaker against a clock that is moved by hand.

use std::sync::Mutex;

use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::kernel::ManualClock;

const SETTINGS: BreakerSettings = BreakerSettings {
    failures: 3,
    window: Duration::from_secs(10),
    open_for: Duration::from_secs(30),
    half_open_requests: 2,
};

fn breaker() -> (Arc<Breaker>, Arc<ManualClock>, Arc<Mutex<Vec<BreakerState>>>) {
    let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observed = seen.clone();
    let breaker = Breaker::new(SETTINGS, clock.clone(), move |state| observed.lock().unwrap().push(state));
    (breaker, clock, seen)
}

fn fail(breaker: &Arc<Breaker>, times: u32) {
    for _ in 0..times {
        breaker.admit().unwrap().failed();
    }
}

#[test]
fn opens_at_the_last_of_the_failures_in_the_window() {
    let (breaker, clock, _) = breaker();
    fail(&breaker, 2);
    assert_eq!(breaker.state(), BreakerState::Closed);
    clock.advance(Duration::from_secs(10));
    fail(&breaker, 2);
    assert_eq!(breaker.state(), BreakerState::Closed, "the first two are out of the window");
    fail(&breaker, 1);
    assert_eq!(breaker.state(), BreakerState::Open);
    clock.advance(Duration::from_secs(12));
    assert_eq!(breaker.admit().unwrap_err().retry_after, Duration::from_secs(18));
}

#[test]
fn lets_exactly_the_probes_through_and_closes_when_all_succeed() {
    let (breaker, clock, seen) = breaker();
    fail(&breaker, 3);
    clock.advance(Duration::from_secs(30));
    let (first, second) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    assert!(breaker.admit().is_err());
    first.succeeded();
    assert!(breaker.admit().is_err(), "a probe that succeeded does not make room for a third");
    second.succeeded();
    assert!(breaker.admit().is_ok());
    assert_eq!(*seen.lock().unwrap(), [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Closed]);
}

#[test]
fn a_failed_probe_opens_it_again_and_the_other_probe_no_longer_counts() {
    let (breaker, clock, _) = breaker();
    fail(&breaker, 3);
    clock.advance(Duration::from_secs(30));
    let (first, second) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    first.failed();
    second.succeeded();
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(breaker.admit().unwrap_err().retry_after, Duration::from_secs(30));
}

#[test]
fn a_probe_given_up_makes_room_for_another() {
    let (breaker, clock, _) = breaker();
    fail(&breaker, 3);
    clock.advance(Duration::from_secs(30));
    let (first, _second) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    drop(first);
    assert!(breaker.admit().is_ok());
}

#[test]
fn calls_that_began_before_it_opened_do_not_move_it() {
    let (breaker, clock, _) = breaker();
    let (early, late) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    fail(&breaker, 3);
    early.failed();
    clock.advance(Duration::from_secs(30));
    let _probe = breaker.admit().unwrap();
    late.failed();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
}

proptest! {
    /// Whatever happens, there are never more probes under way than allowed, and nothing passes while it is open.
    #[test]
    fn transitions_are_lawful(steps in proptest::collection::vec((0u8..4, 0u64..20), 1..200)) {
        let (breaker, clock, _) = breaker();
        let mut open_since: Option<Duration> = None;
        let mut now = Duration::ZERO;
        let mut held = Vec::new();
        for (step, secs) in steps {
            match step {
                0 => {
                    let before = breaker.state();
                    if let Ok(permit) = breaker.admit() {
                        if before == BreakerState::Open {
                            prop_assert!(now.checked_sub(open_since.unwrap()).unwrap() >= SETTINGS.open_for);
                        }
                        held.push(permit);
                    }
                    if breaker.state() == BreakerState::HalfOpen {
                        let era = breaker.lock().era;
                        let probes = held.iter().filter(|permit| permit.era == Some(era)).count();
                        prop_assert!(probes <= SETTINGS.half_open_requests as usize);
                    }
                }
                1 => held.pop().into_iter().for_each(Permit::succeeded),
                2 => {
                    let before = breaker.state();
                    held.pop().into_iter().for_each(Permit::failed);
                    if before != BreakerState::Open && breaker.state() == BreakerState::Open {
                        open_since = Some(now);
                    }
                }
                _ => {
                    clock.advance(Duration::from_secs(secs));
                    now += Duration::from_secs(secs);
                }
            }
        }
    }
}

#[test]
fn what_somebody_else_met_opens_it_once_and_not_for_longer() {
    let (breaker, clock, _) = breaker();
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = told.clone();
    breaker.when_tripped(move |pause| kept.lock().unwrap().push(pause));
    breaker.open(Duration::from_secs(10));
    assert_eq!(breaker.admit().unwrap_err().retry_after, Duration::from_secs(10));
    clock.advance(Duration::from_secs(10));
    let probe = breaker.admit().unwrap();
    breaker.open(Duration::from_secs(10));
    assert_eq!(breaker.state(), BreakerState::HalfOpen, "who is trying is not told to stop");
    assert!(told.lock().unwrap().is_empty(), "what others told is not told on");
    probe.failed();
    assert_eq!(*told.lock().unwrap(), [SETTINGS.open_for]);
    clock.advance(SETTINGS.open_for);
    let probes = [breaker.admit().unwrap(), breaker.admit().unwrap()];
    probes.into_iter().for_each(Permit::succeeded);
    breaker.open(Duration::from_hours(1));
    assert_eq!(breaker.admit().unwrap_err().retry_after, SETTINGS.open_for);
}
