//! The `auth` role: accounts, sessions and tokens.

pub mod api;
pub mod config;

pub use config::AuthConfig;
