//! `[auth.mfa]` and `[auth.step_up]`: second factors, and what wants them again.

use serde::{Deserialize, Serialize};

use super::AuthConfig;
use crate::kernel::units::Span;

/// `[auth.mfa]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MfaConfig {
    /// What authenticators call the service.
    pub name: String,
    /// Wrong codes in the window after which no code of the account is looked at.
    pub failures: u32,
    /// The window.
    pub window: Span,
    /// How long none is looked at.
    pub cooldown: Span,
}

/// `[auth.step_up]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUpConfig {
    /// How long ago the login, or the last step-up, of a session may be for what is dangerous.
    pub max_age: Span,
}

/// Notes what is wrong.
pub(super) fn check(config: &AuthConfig, must: &mut impl FnMut(bool, &str, &str)) {
    let mfa = &config.mfa;
    // The name is the first part of a label that a colon ends.
    let is_name = (1..=64).contains(&mfa.name.chars().count()) && !mfa.name.contains(':');
    must(is_name, "mfa.name", "expected 1 to 64 characters without a colon");
    must(mfa.failures >= 1, "mfa.failures", "expected at least 1");
    must(!mfa.window.get().is_zero(), "mfa.window", "expected more than zero");
    must(config.step_up.max_age.get().as_secs() >= 1, "step_up.max_age", "expected at least a second");
}
