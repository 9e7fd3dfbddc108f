//! What is wrong with a setting, or keeps a role from starting.

use std::fmt;

/// A setting whose value cannot be used. Where it stands is the loader's knowledge; the key is enough to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// The full key, such as `gateway.routes[0].upstream`.
    pub key: String,
    /// What is wrong and what was expected.
    pub detail: String,
}

impl SettingFault {
    /// A fault of `key`.
    pub fn new(key: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { key: key.into(), detail: detail.into() }
    }
}

impl fmt::Display for SettingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.detail)
    }
}

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used: exit code 2.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<SettingFault>),
    /// Something outside is missing or broken: exit code 1.
    #[error("{0}")]
    Failed(String),
}
