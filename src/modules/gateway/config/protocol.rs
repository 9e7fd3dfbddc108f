//! How an upstream is spoken to.

use serde::{Deserialize, Serialize};

/// `[[gateway.upstreams]] tls`: how its `https://` targets are spoken to.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTlsConfig {
    /// Authorities whose certificates are believed; absent: the public ones.
    pub ca: Option<String>,
    /// Our own certificate, for targets that ask for one.
    pub cert: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// The name that is asked for and must stand in the certificate; absent: the target's host.
    pub server_name: Option<String>,
    /// Whether any certificate is believed: for trying things out only.
    #[serde(default)]
    pub insecure: bool,
}

/// `[[gateway.upstreams]] protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: with `https://` by agreement, with `http://` because both know.
    H2,
}
