//! The edges of aggregation: HTTP in and out, jq, worker processes.

mod cache;
pub(super) mod compile;
pub(super) mod evaluation;
pub(super) mod http;
pub(super) mod jaq;
mod schema;
pub(super) mod source;
