//! What clients and dashboards are told of the cache: `Cache-Status` (RFC 9211), and metrics.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use metrics::{Counter, Gauge};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What became of a request at the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answered from what is kept.
    Hit,
    /// Answered from what another request fetched.
    Collapsed,
    /// Answered from what is kept and no longer fresh.
    Stale,
    /// Answered from what is kept, after its server said that it is still right.
    Revalidated,
    /// Answered by the upstream.
    Miss,
    /// Not one for the cache.
    Bypass,
}

/// Why a request went on to the upstream (RFC 9211 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forwarded {
    Bypass,
    Method,
    UriMiss,
    VaryMiss,
    Request,
    Stale,
}

impl Forwarded {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

/// How an answer came about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Story<'a> {
    /// Why the upstream was asked; `None`: it was not.
    pub(super) forwarded: Option<Forwarded>,
    /// What it said, where that is not the answer's own status.
    pub(super) upstream_status: Option<u16>,
    pub(super) stored: bool,
    pub(super) collapsed: bool,
    pub(super) ttl: Option<i64>,
    pub(super) detail: Option<&'static str>,
    pub(super) key: Option<&'a str>,
}

impl Story<'_> {
    /// Adds the line, after those of caches behind us.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let mut line = String::with_capacity(64 + self.key.map_or(0, str::len));
        line.push_str("vestibule");
        // Writing to a string does not fail.
        let _ = match self.forwarded {
            None => write!(line, "; hit"),
            Some(why) => write!(line, "; fwd={}", why.as_str()),
        };
        if let Some(status) = self.upstream_status {
            let _ = write!(line, "; fwd-status={status}");
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(line, "; ttl={ttl}");
        }
        if self.stored {
            line.push_str("; stored");
        }
        if self.collapsed {
            line.push_str("; collapsed");
        }
        if let Some(detail) = self.detail {
            let _ = write!(line, "; detail={detail}");
        }
        if let Some(key) = self.key.filter(|key| key.bytes().all(|byte| matches!(byte, 0x20..=0x7e))) {
            line.push_str("; key=\"");
            for character in key.chars() {
                if matches!(character, '"' | '\\') {
                    line.push('\\');
                }
                line.push(character);
            }
            line.push('"');
        }
        if let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(line)) {
            headers.append(CACHE_STATUS, value);
        }
    }
}

/// The cache's metrics.
pub(super) struct Meters {
    hit: Counter,
    collapsed: Counter,
    stale: Counter,
    revalidated: Counter,
    miss: Counter,
    bypass: Counter,
    ratio: Gauge,
    hits: AtomicU64,
    all: AtomicU64,
}

impl Meters {
    pub(super) fn new() -> Self {
        let counter = |result: &'static str| {
            let counter = metrics::counter!("cache_operations_total", "cache" => "gateway", "result" => result);
            counter.increment(0);
            counter
        };
        let ratio = metrics::gauge!("cache_hit_ratio", "cache" => "gateway");
        ratio.set(0.0);
        Self {
            hit: counter("hit"),
            collapsed: counter("collapsed"),
            stale: counter("stale"),
            revalidated: counter("revalidated"),
            miss: counter("miss"),
            bypass: counter("bypass"),
            ratio,
            hits: AtomicU64::new(0),
            all: AtomicU64::new(0),
        }
    }

    /// Counts a request. The ratio is of those that could have been answered without the upstream.
    pub(super) fn count(&self, outcome: Outcome) {
        let (counter, is_hit) = match outcome {
            Outcome::Hit => (&self.hit, true),
            Outcome::Collapsed => (&self.collapsed, true),
            Outcome::Stale => (&self.stale, true),
            Outcome::Revalidated => (&self.revalidated, false),
            Outcome::Miss => (&self.miss, false),
            Outcome::Bypass => return self.bypass.increment(1),
        };
        counter.increment(1);
        let hits = self.hits.fetch_add(u64::from(is_hit), Ordering::Relaxed) + u64::from(is_hit);
        let all = self.all.fetch_add(1, Ordering::Relaxed) + 1;
        self.ratio.set(share(hits, all));
    }

    /// Hits, and all that could have been.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed))
    }
}

/// A share between 0 and 1.
#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(story: Story<'_>) -> String {
        let mut headers = HeaderMap::new();
        story.tell(&mut headers);
        headers.get(CACHE_STATUS).expect("told").to_str().expect("text").to_owned()
    }

    #[test]
    fn the_line_says_how_an_answer_came_about() {
        let hit = Story { ttl: Some(30), ..Story::default() };
        assert_eq!(told(hit), "vestibule; hit; ttl=30");
        let forwarded = Story {
            forwarded: Some(Forwarded::Stale),
            upstream_status: Some(304),
            stored: true,
            ttl: Some(5),
            key: Some("http://a/\"b\\"),
            ..Story::default()
        };
        assert_eq!(told(forwarded), "vestibule; fwd=stale; fwd-status=304; ttl=5; stored; key=\"http://a/\\\"b\\\\\"");
        let odd = Story { collapsed: true, detail: Some("upstream-failed"), key: Some("ö"), ..Story::default() };
        assert_eq!(told(odd), "vestibule; hit; collapsed; detail=upstream-failed");
    }
}
