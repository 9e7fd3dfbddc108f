//! A role in another process, as health sees it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;

use crate::{
    kernel::Role,
    platform::http::{HealthProbe, client::HttpClient},
};

/// Asks the other process whether it is ready.
pub(super) struct RemoteRole {
    role: Role,
    ready_url: String,
    client: HttpClient,
}

impl RemoteRole {
    /// The role at this base URL.
    pub(super) fn new(role: Role, base_url: &str) -> Self {
        let ready_url = format!("{}/health/ready", base_url.trim_end_matches('/'));
        Self { role, ready_url, client: HttpClient::new(Duration::from_secs(1)) }
    }
}

#[async_trait]
impl HealthProbe for RemoteRole {
    fn name(&self) -> &'static str {
        self.role.as_str()
    }

    async fn check(&self) -> Result<(), String> {
        let request =
            http::Request::get(&self.ready_url).body(Full::<Bytes>::default()).map_err(|error| error.to_string())?;
        let answer = self.client.send(request).await.map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("answered {}", answer.status().as_u16())) }
    }
}
