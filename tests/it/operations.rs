//! What operators see: health, metrics, logs, documentation.

mod documentation;
mod health;
mod logs;
mod metrics;
mod probes;
