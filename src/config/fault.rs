//! What is wrong with the configuration, and where it stands.

use std::{fmt, path::Path, sync::Arc};

/// Where a setting was given. The order is that of the layers: later ones win.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the built-in defaults, `config/default.toml`.
    Default,
    /// In a file.
    File {
        /// Which of the `--config` files, counted from 0.
        layer: usize,
        /// The file, as it was named.
        path: Arc<Path>,
        /// The line, counted from 1; 0: the file as a whole.
        line: usize,
        /// The character in the line, counted from 1.
        column: usize,
    },
    /// In an environment variable of this name.
    Environment(Arc<str>),
    /// In a flag such as `--port`.
    Flag(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("built-in defaults"),
            Self::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path, line, column, .. } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One fault of the configuration. Shown as `config.toml:12:1: gateway.routes[0].upstrem: unknown key, …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub place: Place,
    /// The full key, such as `gateway.routes[0].upstream`; absent when the fault is not one of a key.
    pub key: Option<String>,
    /// What is wrong and what was expected. Never a secret.
    pub detail: String,
}

impl Fault {
    /// A fault of the key at `place`.
    pub(super) fn of(place: &Place, key: &impl ToString, detail: impl Into<String>) -> Self {
        Self { place: place.clone(), key: Some(key.to_string()), detail: detail.into() }
    }

    /// A fault of `place` itself.
    pub(super) fn at(place: Place, detail: impl Into<String>) -> Self {
        Self { place, key: None, detail: detail.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}: {key}: {}", self.place, self.detail),
            None => write!(f, "{}: {}", self.place, self.detail),
        }
    }
}
