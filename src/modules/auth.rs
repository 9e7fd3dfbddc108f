//! The `auth` role: accounts, sessions and tokens.
//!
//! The face: what the composition root and other modules may use. Everything else is private.

pub mod api;
pub mod config;

#[cfg(feature = "auth")]
mod adapters;
#[cfg(feature = "auth")]
mod application;
#[cfg(feature = "auth")]
mod domain;
#[cfg(all(test, feature = "auth"))]
mod journeys;
mod remote;
#[cfg(feature = "auth")]
mod start;

pub use config::{AuthConfig, check};
pub use remote::remote;

#[cfg(feature = "auth")]
pub use {
    adapters::http::{PROBLEMS, openapi},
    start::{Auth, AuthParts, administration_only, check_mail, migrate_down, migrate_up, migration_status},
};

/// The path prefixes that this role answers at the front door.
pub const FRONT_DOOR: &[&str] = &["/auth", "/oauth", "/.well-known", "/users", "/roles", "/clients", "/audit"];
