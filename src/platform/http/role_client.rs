//! The other roles of the installation, as somebody here calls them.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::client::{ClientFault, Fetched};
use crate::kernel::Role;

/// Calls roles, in this process or elsewhere. MUST end the call when the future is dropped.
#[async_trait]
pub trait RoleClient: Send + Sync {
    /// Sends a request and reads the whole answer, which may be `body_limit` bytes and take `timeout` in all. Of the
    /// request's address only path and query count.
    async fn fetch(
        &self,
        role: Role,
        request: Request<Full<Bytes>>,
        timeout: Duration,
        body_limit: usize,
    ) -> Result<Fetched, ClientFault>;
}
