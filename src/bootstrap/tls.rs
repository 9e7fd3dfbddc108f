//! From the settings of a listener to its certificates.

use crate::{
    config::{ClientAuth, ServerConfig, TlsConfig},
    kernel::{SettingFault, StartError},
    platform::tls::{ServerTls, ServerTlsSettings, Shown},
};

/// Reads the files of the table at `key`.
pub(super) fn load(key: &str, config: Option<&TlsConfig>) -> Result<Option<ServerTls>, StartError> {
    let Some(config) = config else { return Ok(None) };
    let fault = |fault: SettingFault| StartError::Settings(vec![fault]);
    read(key, config).map(Some).map_err(fault)
}

/// What is wrong with the certificates of the listeners.
pub(super) fn check(server: &ServerConfig) -> Vec<SettingFault> {
    let own = server.tls.as_ref().map(|tls| ("server.tls", tls));
    let operators = server.operations.as_ref().and_then(|own| own.tls.as_ref());
    let operators = operators.map(|tls| ("server.operations.tls", tls));
    let mut faults = Vec::new();
    for (key, config) in own.into_iter().chain(operators) {
        if config.client_auth.is_some() && config.client_ca.is_none() {
            faults.push(SettingFault::new(format!("{key}.client_auth"), "expected `client_ca` with it"));
        }
        for (number, sni) in config.sni.iter().enumerate() {
            if sni.names.is_empty() || !sni.names.iter().all(|name| is_name(name)) {
                let expected = "expected names such as \"shop.example\" or \"*.shop.example\"";
                faults.push(SettingFault::new(format!("{key}.sni[{number}].names"), expected));
            }
        }
        faults.extend(read(key, config).err());
    }
    faults
}

fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    rest.split('.').all(is_label)
}

fn read(key: &str, config: &TlsConfig) -> Result<ServerTls, SettingFault> {
    let own = Shown { names: Vec::new(), cert: config.cert.clone(), key: config.key.clone() };
    let others =
        config.sni.iter().map(|sni| Shown { names: sni.names.clone(), cert: sni.cert.clone(), key: sni.key.clone() });
    let settings = ServerTlsSettings {
        shown: std::iter::once(own).chain(others).collect(),
        client_ca: config.client_ca.clone(),
        client_required: config.client_auth != Some(ClientAuth::Optional),
        protocols: super::http2::protocols(),
    };
    ServerTls::load(settings).map_err(|fault| SettingFault::new(format!("{key}.{}", fault.setting), fault.detail))
}
