//! The use cases of aggregation, and what they need from outside.

pub(super) mod aggregate;
pub(super) mod batch;
pub(super) mod catalogue;
pub(super) mod error;
pub(super) mod ports;
pub(super) mod run_endpoint;
pub(super) mod transform;
pub(super) mod transform_lines;
