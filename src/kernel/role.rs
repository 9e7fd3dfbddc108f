//! The roles that a process can play. Closed: `--role` names one of these.

use std::{fmt, str::FromStr};

/// A module that can run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Routing, limits, resilience, edge security.
    Gateway,
    /// Users, sessions, tokens.
    Auth,
    /// Fan-out, merge, transform.
    Aggregation,
}

impl Role {
    /// Every role there is, compiled in or not.
    pub const ALL: [Self; 3] = [Self::Gateway, Self::Auth, Self::Aggregation];

    /// The name, as in `--role`, the configuration, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Auth => "auth",
            Self::Aggregation => "aggregation",
        }
    }

    /// The port the role listens on when it runs alone and none is configured.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Auth => 8001,
            Self::Gateway => 8002,
            Self::Aggregation => 8003,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role `{0}`; expected one of {names}", names = Role::ALL.map(Role::as_str).join(", "))]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}
