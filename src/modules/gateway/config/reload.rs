//! `[gateway] reload`: when the configuration is read again by itself.

use serde::{Deserialize, Serialize};

use crate::kernel::units::Span;

/// `gateway.reload`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReloadConfig {
    /// Whether a change of a configuration file is enough.
    #[serde(default = "watch")]
    pub watch: bool,
    /// How long nothing must have been written.
    #[serde(default = "settle")]
    pub settle: Span,
}

impl Default for ReloadConfig {
    fn default() -> Self {
        Self { watch: watch(), settle: settle() }
    }
}

const fn watch() -> bool {
    true
}

const fn settle() -> Span {
    Span::millis(250)
}
