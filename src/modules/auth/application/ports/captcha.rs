//! Telling people from programs.

use std::net::IpAddr;

use async_trait::async_trait;

use super::PortError;

/// Asks a provider whether somebody solved its riddle.
#[async_trait]
pub(crate) trait CaptchaVerifier: Send + Sync {
    /// Whether the token is a solution, given by this client, that was not used before. `Unavailable` when the provider
    /// cannot be asked, or does not know us: that is no answer, and MUST NOT look like one.
    async fn is_solved(&self, token: &str, client: IpAddr) -> Result<bool, PortError>;
}
