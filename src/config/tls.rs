//! `tls` of a listener.

use serde::{Deserialize, Serialize};

/// `server.tls`: certificates in PEM, from files that are read again when they change.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and those above it; for names that no entry of `sni` has.
    pub cert: String,
    /// Its key.
    pub key: String,
    /// Certificates of other names.
    #[serde(default)]
    pub sni: Vec<SniConfig>,
    /// Authorities whose certificates clients may show; absent: clients are not asked.
    pub client_ca: Option<String>,
    /// Whether clients must show one; absent: `required` with `client_ca`.
    pub client_auth: Option<ClientAuth>,
}

/// `server.tls.sni`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SniConfig {
    /// Exact names, or `*.example.com`.
    pub names: Vec<String>,
    /// The certificate and those above it.
    pub cert: String,
    /// Its key.
    pub key: String,
}

/// Whether clients must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// They may; one that is shown must be good.
    Optional,
    /// They must.
    Required,
}
