//! The list as a service: it is asked for a range, and answers with the suffixes in it, so it does not learn which one is
//! meant. Padding hides how many there are from whoever counts the bytes.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, header::USER_AGENT};
use http_body_util::Full;

use super::{PREFIX, has_suffix, sha1};
use crate::{
    modules::auth::{
        application::{BreachList, PortError},
        domain::PlainPassword,
    },
    platform::http::client::HttpClient,
};

/// Some two thousand lines; more is no answer.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// The service.
pub(super) struct RangeApi {
    client: HttpClient,
    url: String,
    timeout: Duration,
}

impl RangeApi {
    pub(super) fn new(url: &str, timeout: Duration) -> Self {
        Self { client: HttpClient::new(timeout), url: url.trim_end_matches('/').to_owned(), timeout }
    }
}

#[async_trait]
impl BreachList for RangeApi {
    async fn is_breached(&self, password: &PlainPassword) -> Result<bool, PortError> {
        let away = |why: String| PortError::Unavailable(format!("the list of breaches cannot be asked: {why}"));
        let hash = sha1(password.expose());
        let (prefix, suffix) = hash.split_at(PREFIX);
        let request = Request::get(format!("{}/{prefix}", self.url))
            .header("add-padding", "true")
            .header(USER_AGENT, "vestibule")
            .body(Full::new(Bytes::new()))
            .map_err(|error| away(error.to_string()))?;
        let answer = self.client.fetch(request, self.timeout, LARGEST_ANSWER).await;
        let answer = answer.map_err(|fault| away(fault.to_string()))?;
        if answer.status != http::StatusCode::OK {
            return Err(away(format!("it answered {}", answer.status)));
        }
        Ok(has_suffix(&String::from_utf8_lossy(&answer.body), suffix))
    }
}
