//! The circuit breaker: closed → open after so many failures in a window → half open after a pause, with an exact number
//! of probes → closed when all of them succeed, open again when one fails.
//!
//! While it is closed, asking costs one atomic load and a success costs nothing; only failures and the way back take the
//! lock.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use crate::kernel::Clock;

/// When a breaker opens and how it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures within [`Self::window`] that open it; at least 1.
    pub failures: u32,
    /// How far back failures count.
    pub window: Duration,
    /// How long it stays open.
    pub open_for: Duration,
    /// Probes let through while half open; at least 1.
    pub half_open_requests: u32,
}

/// Where a breaker stands; the numbers are those of the `circuit_breaker_state` metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything passes.
    Closed = 0,
    /// Only probes pass.
    HalfOpen = 1,
    /// Nothing passes.
    Open = 2,
}

impl BreakerState {
    /// The name, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

/// The breaker lets nothing through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit is open")]
pub struct Open {
    /// When it is worth another try.
    pub retry_after: Duration,
}

/// Told of every change of state.
type Observer = Box<dyn Fn(BreakerState) + Send + Sync>;

/// Told when failures met here open the breaker, with how long it stays open.
type Tripped = Box<dyn Fn(Duration) + Send + Sync>;

/// A circuit breaker. Shared by reference counting; a [`Permit`] keeps it alive.
pub struct Breaker {
    settings: BreakerSettings,
    clock: Arc<dyn Clock>,
    observer: Observer,
    tripped: OnceLock<Tripped>,
    /// A copy of the state, to be read without the lock.
    state: AtomicU8,
    inner: Mutex<Inner>,
}

struct Inner {
    state: BreakerState,
    /// Counts changes of state, so that verdicts of an earlier time are not counted in a later one.
    era: u64,
    /// Closed: when the failures happened, oldest first; never more than `failures`.
    failures: VecDeque<Instant>,
    /// Open: until when.
    until: Instant,
    /// Half open: probes under way, and probes that succeeded.
    probing: u32,
    succeeded: u32,
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("settings", &self.settings)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Breaker {
    /// A closed breaker; `observer` is told of every change of state.
    pub fn new(
        settings: BreakerSettings,
        clock: Arc<dyn Clock>,
        observer: impl Fn(BreakerState) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let inner = Inner {
            state: BreakerState::Closed,
            era: 0,
            failures: VecDeque::new(),
            until: clock.monotonic(),
            probing: 0,
            succeeded: 0,
        };
        let state = AtomicU8::new(BreakerState::Closed as u8);
        Arc::new(Self {
            settings,
            clock,
            observer: Box::new(observer),
            tripped: OnceLock::new(),
            state,
            inner: Mutex::new(inner),
        })
    }

    /// Where it stands, without looking at the clock: an open breaker whose pause is over is half open only when somebody
    /// asks for a permit.
    pub fn state(&self) -> BreakerState {
        match self.state.load(Ordering::Acquire) {
            0 => BreakerState::Closed,
            1 => BreakerState::HalfOpen,
            _ => BreakerState::Open,
        }
    }

    /// Leave to make one call. Its outcome must be told to the permit; one that is dropped untold counts for nothing.
    pub fn admit(self: &Arc<Self>) -> Result<Permit, Open> {
        if self.state() == BreakerState::Closed {
            return Ok(Permit { breaker: self.clone(), era: None });
        }
        let now = self.clock.monotonic();
        let mut inner = self.lock();
        match inner.state {
            BreakerState::Closed => return Ok(Permit { breaker: self.clone(), era: None }),
            BreakerState::Open if now < inner.until => return Err(Open { retry_after: inner.until - now }),
            BreakerState::Open => self.change(&mut inner, BreakerState::HalfOpen),
            BreakerState::HalfOpen => {}
        }
        if inner.probing + inner.succeeded >= self.settings.half_open_requests {
            // How long the probes take is not known; a client that comes back in a second finds out.
            return Err(Open { retry_after: Duration::from_secs(1) });
        }
        inner.probing += 1;
        Ok(Permit { breaker: self.clone(), era: Some(inner.era) })
    }

    /// `tell` is called whenever failures met here open it; once set, it stays. MUST neither wait nor ask the breaker.
    pub fn when_tripped(&self, tell: impl Fn(Duration) + Send + Sync + 'static) {
        let _ = self.tripped.set(Box::new(tell));
    }

    /// Opens a closed breaker because somebody else met failures; never for longer than its own `open_for`.
    pub fn open(&self, pause: Duration) {
        let mut inner = self.lock();
        if inner.state == BreakerState::Closed {
            inner.until = self.clock.monotonic() + pause.min(self.settings.open_for);
            self.change(&mut inner, BreakerState::Open);
        }
    }

    /// Opens it because of failures met here.
    fn trip(&self, inner: &mut Inner, now: Instant) {
        inner.until = now + self.settings.open_for;
        self.change(inner, BreakerState::Open);
        if let Some(tell) = self.tripped.get() {
            tell(self.settings.open_for);
        }
    }

    fn failed(&self, era: Option<u64>) {
        let now = self.clock.monotonic();
        let mut inner = self.lock();
        let Some(era) = era else {
            if inner.state == BreakerState::Closed {
                self.count_failure(&mut inner, now);
            }
            return;
        };
        if inner.era == era {
            self.trip(&mut inner, now);
        }
    }

    fn count_failure(&self, inner: &mut Inner, now: Instant) {
        while inner.failures.front().is_some_and(|at| now.duration_since(*at) >= self.settings.window) {
            inner.failures.pop_front();
        }
        inner.failures.push_back(now);
        if inner.failures.len() >= self.settings.failures as usize {
            self.trip(inner, now);
        }
    }

    fn probe_ended(&self, era: u64, succeeded: bool) {
        let mut inner = self.lock();
        if inner.era != era {
            return;
        }
        inner.probing = inner.probing.saturating_sub(1);
        if succeeded {
            inner.succeeded += 1;
            if inner.succeeded >= self.settings.half_open_requests {
                self.change(&mut inner, BreakerState::Closed);
            }
        }
    }

    fn change(&self, inner: &mut Inner, to: BreakerState) {
        inner.state = to;
        inner.era += 1;
        inner.failures.clear();
        inner.probing = 0;
        inner.succeeded = 0;
        self.state.store(to as u8, Ordering::Release);
        (self.observer)(to);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to make one call.
#[derive(Debug)]
#[must_use = "the outcome of the call must be told"]
pub struct Permit {
    breaker: Arc<Breaker>,
    /// The half-open time that this is a probe of; `None`: an ordinary call of a closed breaker.
    era: Option<u64>,
}

impl Permit {
    /// The call succeeded.
    pub fn succeeded(mut self) {
        if let Some(era) = self.era.take() {
            self.breaker.probe_ended(era, true);
        }
    }

    /// The call failed in a way that says the other side is not well.
    pub fn failed(mut self) {
        let era = self.era.take();
        self.breaker.failed(era);
    }
}

impl Drop for Permit {
    /// A call given up without a verdict gives its place as a probe back.
    fn drop(&mut self) {
        if let Some(era) = self.era.take() {
            self.breaker.probe_ended(era, false);
        }
    }
}

#[cfg(test)]
mod tests;
