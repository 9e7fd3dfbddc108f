//! The `aggregation` role.

pub mod config;

pub use config::AggregationConfig;
