//! Deadlines that are passed on: `X-Request-Deadline` says, as an RFC 3339 moment in UTC, until when somebody waits for the
//! answer. A trusted proxy's is believed and never extended; a client's is dropped. Clocks of the machines should agree.

use std::time::{Duration, Instant};

use actix_web::{dev::ServiceRequest, http::header::HeaderName};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::problems::UPSTREAM_TIMEOUT;
use crate::{kernel::Clock, platform::http::Problem};

const X_REQUEST_DEADLINE: HeaderName = HeaderName::from_static("x-request-deadline");

/// Until when a request is waited for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Deadline {
    pub(super) at: Option<Instant>,
}

impl Deadline {
    /// What the route allows, cut by what a trusted proxy says.
    pub(super) fn of(
        request: &ServiceRequest,
        timeout: Option<Duration>,
        is_trusted: bool,
        clock: &dyn Clock,
    ) -> Result<Self, Problem> {
        let said = if is_trusted { request.headers().get(X_REQUEST_DEADLINE) } else { None };
        let left = said.and_then(|said| left(said.to_str().ok()?, clock.now()));
        if left == Some(Duration::ZERO) {
            return Err(Problem::new(&UPSTREAM_TIMEOUT, "the request's deadline is over"));
        }
        let left = match (timeout, left) {
            (Some(timeout), Some(left)) => Some(timeout.min(left)),
            (timeout, left) => timeout.or(left),
        };
        Ok(Self { at: left.map(|left| Instant::now() + left) })
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

/// As the header says it.
pub(super) fn written(at: Instant, clock: &dyn Clock) -> String {
    let left = TimeDelta::from_std(at.saturating_duration_since(Instant::now())).unwrap_or(TimeDelta::MAX);
    let moment = clock.now().checked_add_signed(left).unwrap_or(DateTime::<Utc>::MAX_UTC);
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// How long it is until a moment; `None` when it cannot be read.
fn left(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    // More than a day is no deadline.
    Some((moment - now).min(TimeDelta::days(1)).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_and_written() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert_eq!(left("2023-11-14T22:13:21.500Z", now), Some(Duration::from_millis(1500)));
        assert_eq!(left("2023-11-14T23:13:22+01:00", now), Some(Duration::from_secs(2)));
        assert_eq!(left("2023-11-14T22:13:19Z", now), Some(Duration::ZERO));
        assert_eq!(left("9999-01-01T00:00:00Z", now), Some(Duration::from_hours(24)));
        assert_eq!(left("soon", now), None);
    }
}
