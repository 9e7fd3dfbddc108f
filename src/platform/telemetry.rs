//! What operators see: logs and metrics.

mod log_writer;
pub mod logs;
pub mod metrics;
