//! Time as a port, so that tests are exact: wall time for what is written down, monotonic time for what is measured.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound, Utc};

/// The source of all time.
pub trait Clock: Send + Sync + 'static {
    /// Wall time in UTC, in microseconds, the precision every database keeps.
    fn now(&self) -> DateTime<Utc>;
    /// Monotonic time: MUST NOT go back when the wall clock does. Timers and breakers use this one.
    fn monotonic(&self) -> Instant;
}

/// The clocks of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where wall time is read")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that moves only when it is told to; for tests.
#[derive(Debug)]
pub struct ManualClock {
    started: Instant,
    state: Mutex<(DateTime<Utc>, Duration)>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { started: Instant::now(), state: Mutex::new((now, Duration::ZERO)) }
    }

    /// Moves wall and monotonic time forward together.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += by;
        state.1 += by;
    }

    /// Moves wall time alone, as when somebody sets the clock.
    pub fn jump(&self, by: chrono::TimeDelta) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Instant {
        self.started + self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
