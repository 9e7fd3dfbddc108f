//! What is told of each source: the entries of `meta.sources`.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// How the call of a source, or a step, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceStatus {
    /// It answered.
    Ok,
    /// It failed, or answered something that is no success.
    Error,
    /// It did not answer in time.
    Timeout,
    /// It was not called: what it needs is not there.
    Skipped,
    /// Its breaker is open.
    Open,
}

impl SourceStatus {
    /// The name, as in `meta` and in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
            Self::Open => "open",
        }
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CacheUse {
    /// From the cache.
    Hit,
    /// From the source itself.
    Miss,
    /// From the cache, though its time is over: the source failed.
    Stale,
}

impl CacheUse {
    /// The name, as in `meta` and in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stale => "stale",
        }
    }
}

/// One entry of `meta.sources`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SourceReport {
    /// How it ended.
    pub(crate) status: SourceStatus,
    /// The status the source answered with, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http_status: Option<u16>,
    /// How long it took.
    #[serde(rename = "duration_ms", serialize_with = "millis")]
    pub(crate) duration: Duration,
    /// Whether a cache answered.
    pub(crate) cache: CacheUse,
    /// Why it failed, in a few words without addresses or secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

impl SourceReport {
    /// A report of something that was not called.
    pub(crate) fn skipped(detail: impl Into<String>) -> Self {
        Self::failed(SourceStatus::Skipped, detail)
    }

    /// A report without an answer.
    pub(crate) fn failed(status: SourceStatus, detail: impl Into<String>) -> Self {
        Self { status, http_status: None, duration: Duration::ZERO, cache: CacheUse::Miss, detail: Some(detail.into()) }
    }
}

/// Whole milliseconds, as every `duration_ms` is written.
pub(crate) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(whole_millis(*duration))
}
