//! How limits are shared between instances.

use serde::{Deserialize, Serialize};

/// How instances share a limit through Redis. Without Redis each instance counts for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimitMode {
    /// Redis is asked about every request.
    #[default]
    Exact,
    /// An instance takes a batch from Redis and spends it by itself.
    Leased,
}
