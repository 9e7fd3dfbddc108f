//! The `gateway` role.

pub mod config;

pub use config::GatewayConfig;
