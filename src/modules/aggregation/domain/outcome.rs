//! What is told of each source: the entries of `meta.sources`.

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::freshness::Freshness;

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
    /// It was left alone: its breaker is open, or enough calls are under way.
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
    /// From the cache, though its time is over: the source failed, or is being asked anew.
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
    /// When the source says that it is worth another try, in seconds.
    #[serde(rename = "retry_after", skip_serializing_if = "Option::is_none", serialize_with = "seconds")]
    pub(crate) retry_after: Option<Duration>,
    /// The problem details (RFC 9457) that it failed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Box<Value>>,
    /// What was followed of a source that answers in pages.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) pages: Option<Pages>,
    /// How long the answer may be kept, as far as this part is concerned.
    #[serde(skip)]
    pub(crate) freshness: Freshness,
}

/// The pages of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pages {
    /// How many there are in it.
    pub(crate) pages: usize,
    /// Whether there were more.
    pub(crate) cut: bool,
}

impl SourceReport {
    /// A report of something that was not called.
    pub(crate) fn skipped(detail: impl Into<String>) -> Self {
        Self::failed(SourceStatus::Skipped, detail)
    }

    /// A report without an answer.
    pub(crate) fn failed(status: SourceStatus, detail: impl Into<String>) -> Self {
        Self { status, detail: Some(detail.into()), ..Self::ok(None) }
    }

    /// A report of an answer that says nothing of how long it is good.
    pub(crate) const fn ok(http_status: Option<u16>) -> Self {
        Self {
            status: SourceStatus::Ok,
            http_status,
            duration: Duration::ZERO,
            cache: CacheUse::Miss,
            detail: None,
            retry_after: None,
            problem: None,
            pages: None,
            freshness: Freshness::SILENT,
        }
    }
}

/// Whole milliseconds, as every `duration_ms` is written.
pub(crate) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(whole_millis(*duration))
}

/// Whole seconds, rounded up, as `Retry-After` has them. Serde's attribute passes a reference to what it is given.
#[expect(clippy::ref_option, reason = "serde calls it with a reference to the member")]
fn seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).serialize(serializer)
}
