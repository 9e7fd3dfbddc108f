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
#[cfg(all(fuzzing, feature = "auth"))]
pub mod fuzzing;
mod remote;
#[cfg(feature = "auth")]
mod start;

pub use config::{AuthConfig, check};
pub use remote::remote;

#[cfg(feature = "auth")]
pub use {
    adapters::http::{PROBLEMS, openapi},
    start::{
        Auth, AuthParts, administration_only, check_mail, check_pages, migrate_down, migrate_up, migration_status,
    },
};
