//! `[gateway.cache]` and a route's `cache`: what is kept of answers.

use serde::{Deserialize, Serialize};

use crate::kernel::units::{ByteSize, Span};

/// `[gateway.cache]`: the room for the answers of all routes that have a `cache`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// For everything that is kept in this process.
    pub max_bytes: ByteSize,
    /// A longer answer is passed on and not kept.
    pub max_entry_bytes: ByteSize,
    /// For bodies on their way that are to be kept; beyond it they are only passed on.
    pub max_collecting_bytes: ByteSize,
    /// The most answers kept for one URL, told apart by what `Vary` names.
    pub max_variants: usize,
    /// How long a request waits for the answer that another one is fetching, before it fetches its own.
    pub wait: Span,
    /// How long an answer that can be validated is kept after it is no longer fresh.
    pub keep: Span,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            max_bytes: ByteSize::mib(64),
            max_entry_bytes: ByteSize::mib(1),
            max_collecting_bytes: ByteSize::mib(32),
            max_variants: 32,
            wait: Span::secs(5),
            keep: Span::secs(3600),
        }
    }
}

/// `cache = { ttl, stale_while_revalidate, stale_if_error }`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteCacheConfig {
    /// How long a 200 is fresh that says nothing about it; absent: not at all.
    pub ttl: Option<Span>,
    /// How long an answer may be given after that while a new one is fetched, when the answer does not say.
    pub stale_while_revalidate: Option<Span>,
    /// How long it may be given while the upstream fails, when the answer does not say.
    pub stale_if_error: Option<Span>,
}
