//! How the roles reach Redis, where that is configured.

use std::fmt;

use super::process::Shared;
use crate::{kernel::StartError, platform::redis::RedisSettings};

/// Where it is; `None` where it is not configured.
pub(super) fn settings(shared: &Shared) -> Option<RedisSettings> {
    shared.config.redis.as_ref().map(|redis| RedisSettings {
        url: redis.url.clone(),
        prefix: redis.prefix.clone(),
        connect_timeout: redis.connect_timeout.get(),
        response_timeout: redis.response_timeout.get(),
    })
}

/// The start's error for what Redis' library says of its URL.
pub(super) fn wrong(error: impl fmt::Display) -> StartError {
    StartError::Failed(format!("redis.url: {error}"))
}
