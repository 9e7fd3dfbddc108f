//! What the server and a worker say to each other: frames of a length (32 bits, big endian) and that many bytes.

use serde::{Deserialize, Serialize};

/// The first frame: the limits the worker sets on itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hello {
    /// Bytes it may take beyond what it has when it starts.
    pub(super) memory: u64,
    /// Seconds of processor time in its life.
    pub(super) cpu_seconds: u64,
    /// Milliseconds after which it ends itself when an evaluation still runs; the server has given up long before.
    pub(super) give_up_ms: u64,
    /// The largest result in bytes.
    pub(super) output_limit: usize,
}

/// The answer to the first frame.
pub(super) const READY: &[u8] = b"ready";

/// One evaluation.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job<'a> {
    /// The rules, as JSON.
    #[serde(borrow)]
    pub(super) rules: &'a serde_json::value::RawValue,
    /// The data, as JSON.
    #[serde(borrow)]
    pub(super) data: &'a serde_json::value::RawValue,
}

/// A rule that is wrong.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Fault {
    /// Below the list of rules.
    pub(super) pointer: String,
    /// What is wrong.
    pub(super) detail: String,
    /// Stable.
    pub(super) code: String,
}

/// First byte of an answer: the result follows.
pub(super) const RESULT: u8 = b'=';
/// First byte of an answer: a [`Fault`] follows.
pub(super) const FAULT: u8 = b'!';
/// First byte of an answer: the result would be too large.
pub(super) const TOO_LARGE: u8 = b'#';

/// The codes of faults, so that they stay `&'static`.
pub(super) fn known_code(code: &str) -> &'static str {
    const CODES: [&str; 5] = ["bad-expression", "not-an-object", "not-an-array", "not-one-value", "evaluation-failed"];
    CODES.into_iter().find(|known| *known == code).unwrap_or("bad-rule")
}
