//! Devices' requests.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PortError;
use crate::modules::auth::domain::{Approval, DeviceGrant, UserCode};

/// Where devices' requests are kept, for a while after they expire too.
#[async_trait]
pub(crate) trait DeviceGrantRepository: Send + Sync {
    /// Keeps a new request. `false`, with nothing changed, when another one has its user code.
    async fn keep(&self, grant: &DeviceGrant) -> Result<bool, PortError>;
    /// The request that waits for its user, by the user code.
    async fn waiting(&self, code: &UserCode, now: DateTime<Utc>) -> Result<Option<DeviceGrant>, PortError>;
    /// Answers a request that waits: `None` is a no. Exactly one of several concurrent calls gets `true`.
    async fn answer(&self, code: &UserCode, approval: Option<&Approval>, now: DateTime<Utc>)
    -> Result<bool, PortError>;
    /// The request of a device code's hash.
    async fn find(&self, hash: &str) -> Result<Option<DeviceGrant>, PortError>;
    /// Notes that the device asked, and how long it has to wait from now on.
    async fn polled(&self, hash: &str, interval: u32, now: DateTime<Utc>) -> Result<(), PortError>;
    /// Spends an allowed request that has not expired: exactly one of several concurrent calls gets `true`.
    async fn spend(&self, hash: &str, now: DateTime<Utc>) -> Result<bool, PortError>;
}
