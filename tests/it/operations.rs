//! What operators see: health, metrics, logs, documentation.

mod connections;
mod documentation;
mod health;
mod listeners;
mod logs;
mod metrics;
mod probes;
mod siblings;
