//! TLS to targets: checked, and made ready.

use rustls::pki_types::ServerName;

use super::Compiler;
use crate::{
    modules::gateway::{adapters::target::Target, config::UpstreamConfig},
    platform::tls::{ClientTls, connector},
};

impl Compiler<'_> {
    /// Puts an upstream's own TLS into its targets.
    pub(super) fn target_tls(&mut self, key: &str, config: &UpstreamConfig, targets: &mut [Target]) {
        let Some(tls) = &config.tls else { return };
        let key = |name: &str| format!("{key}.tls.{name}");
        let identity = match (&tls.cert, &tls.key) {
            (Some(cert), Some(own_key)) => Some((cert.clone(), own_key.clone())),
            (None, None) => None,
            (Some(_), None) => return self.fault(key("key"), "expected the key of `cert`"),
            (None, Some(_)) => return self.fault(key("cert"), "expected the certificate of `key`"),
        };
        if tls.insecure && tls.ca.is_some() {
            self.fault(
                key("insecure"),
                "expected either `ca` or `insecure`: the one says whom to believe, the other everybody",
            );
        }
        let name = match tls.server_name.as_deref().map(|name| ServerName::try_from(name.to_owned())) {
            Some(Err(_)) => return self.fault(key("server_name"), "expected a name such as \"catalog.internal\""),
            Some(Ok(name)) => Some(name),
            None => None,
        };
        let settings = ClientTls { ca: tls.ca.clone(), identity, insecure: tls.insecure };
        let connector = match connector(&settings, &[]) {
            Ok(connector) => connector,
            Err(fault) => return self.fault(key(&fault.setting), fault.detail),
        };
        if tls.insecure {
            tracing::warn!(
                event = "upstream_unverified",
                upstream = config.name,
                detail = "any certificate is believed"
            );
        }
        for target in targets {
            match &mut target.endpoint.tls {
                Some(tls) => {
                    tls.connector = connector.clone();
                    if let Some(name) = &name {
                        tls.name = name.clone();
                    }
                }
                None => return self.fault(key("ca").replace(".ca", ""), "expected targets with https://"),
            }
        }
    }
}
