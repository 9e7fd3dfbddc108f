//! What a route does beside leading somewhere: splits, mirrors, schemas, notices of deprecation; and compression.

use serde::{Deserialize, Serialize};

use crate::kernel::units::ByteSize;

/// One part of `split = [{ upstream, percent }, …]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitPart {
    /// The upstream.
    pub upstream: String,
    /// Its share of the requests; all parts together are 100.
    pub percent: u32,
}

/// `mirror = { upstream, percent, body_limit }`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MirrorConfig {
    /// The upstream that gets copies; its answers are dropped.
    pub upstream: String,
    /// The share of the requests that is copied.
    #[serde(default = "all")]
    pub percent: u32,
    /// Requests with longer bodies are not copied.
    #[serde(default = "small")]
    pub body_limit: ByteSize,
}

/// `deprecated = { since, sunset, link }`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeprecatedConfig {
    /// Since when: a day, `2026-01-01`, or a moment, `2026-01-01T12:00:00Z`.
    pub since: String,
    /// From then on it may be gone.
    pub sunset: Option<String>,
    /// What tells more.
    pub link: Option<String>,
}

/// `gateway.compression`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompressionConfig {
    /// What is offered, the best first: `br`, `zstd`, `gzip`.
    #[serde(default = "codings")]
    pub codings: Vec<Coding>,
    /// Shorter answers stay as they are.
    #[serde(default = "worth_while")]
    pub min_size: ByteSize,
    /// Media types beside text, JSON, XML, JavaScript and SVG.
    #[serde(default)]
    pub types: Vec<String>,
}

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// Brotli.
    Br,
    /// Zstandard.
    Zstd,
    /// gzip.
    Gzip,
}

fn codings() -> Vec<Coding> {
    vec![Coding::Br, Coding::Zstd, Coding::Gzip]
}
const fn worth_while() -> ByteSize {
    ByteSize(1024)
}
const fn all() -> u32 {
    100
}
const fn small() -> ByteSize {
    ByteSize(64 * 1024)
}
