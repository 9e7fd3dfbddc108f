//! Counting failed attempts.

use std::{net::IpAddr, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::modules::auth::domain::{Failures, LockoutRule};

/// Why an attempt may not go on, or its outcome not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// There were too many; this is how long to wait.
    For(Duration),
    /// The counters cannot be read.
    Unknown(PortError),
}

impl From<PortError> for Held {
    fn from(error: PortError) -> Self {
        Self::Unknown(error)
    }
}

/// Counts failed attempts of one kind (passwords, or codes), by account and by client address, and refuses more after too
/// many.
#[async_trait]
pub(crate) trait AttemptLimiter: Send + Sync {
    /// Whether an attempt may go on now; else how long it has to wait. An attempt in a cooldown MUST NOT extend it. Known
    /// and unknown accounts MUST behave alike.
    async fn check(&self, account: &str, client: IpAddr) -> Result<(), Held>;
    /// Notes how an attempt ended. The failure that reaches the limit MUST be refused too, and so MUST be every outcome,
    /// right or wrong, of an attempt that began before the limit was reached. A success clears the account's failures and
    /// nothing else.
    async fn settle(&self, account: &str, client: IpAddr, right: bool) -> Result<(), Held>;
}

/// Where failures are counted. All instances MUST see the same counters.
#[async_trait]
pub(crate) trait AttemptCounters: Send + Sync {
    /// What is known of each of these, in their order; nothing of one that never failed.
    async fn failures(&self, ids: &[String]) -> Result<Vec<Failures>, PortError>;
    /// Counts one failure of each of these, by its own rule ([`Failures::note`]), all at once, and tells what they are then.
    /// MUST lose none of several concurrent calls.
    async fn fail(&self, ids: &[(String, LockoutRule)], now: DateTime<Utc>) -> Result<Vec<Failures>, PortError>;
    /// Forgets the failures of one that is not locked at `now`.
    async fn forgive(&self, id: &str, now: DateTime<Utc>) -> Result<(), PortError>;
}
