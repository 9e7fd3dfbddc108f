//! What operators see: logs and metrics.

mod json_line;
mod log_writer;
pub mod logs;
pub mod metrics;
