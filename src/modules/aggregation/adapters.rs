//! The edges of aggregation: HTTP in and out, jq, worker processes.

mod cache;
pub(super) mod canned;
pub(super) mod compile;
pub(super) mod evaluation;
pub(super) mod http;
pub(super) mod jaq;
pub(super) mod krakend;
pub(super) mod source;
