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
#[cfg(all(feature = "auth", feature = "passkeys"))]
mod webauthn;

pub use config::{AuthConfig, check};
pub use remote::remote;

#[cfg(feature = "auth")]
pub use {
    adapters::http::{PROBLEMS, openapi},
    start::{
        Auth, AuthParts, administration_only, check_mail, check_pages, migrate_down, migrate_up, migration_status,
    },
};

/// Who speaks with the devices that hold passkeys.
#[cfg(all(feature = "auth", feature = "passkeys"))]
fn ceremonies(
    config: &AuthConfig,
) -> Result<std::sync::Arc<dyn application::PasskeyCeremonies>, crate::kernel::SettingFault> {
    let ceremonies = webauthn::Ceremonies::new(config);
    let fault = |detail: String| crate::kernel::SettingFault::new("auth.passkeys.enabled", detail);
    Ok(std::sync::Arc::new(ceremonies.map_err(fault)?))
}

/// Nobody does in a binary without the feature.
#[cfg(all(feature = "auth", not(feature = "passkeys")))]
fn ceremonies(
    _: &AuthConfig,
) -> Result<std::sync::Arc<dyn application::PasskeyCeremonies>, crate::kernel::SettingFault> {
    Err(crate::kernel::SettingFault::new("auth.passkeys.enabled", NO_PASSKEYS))
}

/// Why passkeys cannot be enabled.
#[cfg(all(feature = "auth", not(feature = "passkeys")))]
pub const NO_PASSKEYS: &str = "passkeys are not compiled into this binary: build it with the feature `passkeys`";
