//! The configuration: one struct a concern, one loader. `config/default.toml` is embedded and is the default, so a value
//! and its documentation stand in one place. Each module brings its own section.

mod changes;
mod check;
mod environment;
mod fault;
mod http2;
mod key;
mod loader;
mod masking;
mod node;
mod parse;
mod read;
mod reference;
mod schema;
mod sections;
mod shape;
#[cfg(test)]
mod tests;
mod tls;
mod unknown;

pub use changes::changed_keys;
pub use fault::{Fault, Place};
pub use http2::Http2Config;
pub use loader::{DEFAULTS, Loaded, Override, Sources, load, load_checked};
pub use schema::schema;
pub use sections::*;
pub use tls::{ClientAuth, SniConfig, TlsConfig};

use serde::{Deserialize, Serialize};

use crate::modules::{aggregation::AggregationConfig, auth::AuthConfig, gateway::GatewayConfig};

/// Everything that can be configured.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The listener.
    pub server: ServerConfig,
    /// Where data is kept.
    pub database: DatabaseConfig,
    /// Redis; absent: everything it would hold is in the process or the database.
    pub redis: Option<RedisConfig>,
    /// Logging.
    pub log: LogConfig,
    /// Outgoing mail.
    pub mail: MailConfig,
    /// Where the roles that are not local live.
    pub services: ServicesConfig,
    /// The `auth` role.
    pub auth: AuthConfig,
    /// The `gateway` role.
    pub gateway: GatewayConfig,
    /// The `aggregation` role.
    pub aggregation: AggregationConfig,
}
