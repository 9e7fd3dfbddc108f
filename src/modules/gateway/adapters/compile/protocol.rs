//! How targets are spoken to: checked, and made ready.

use http::uri::Scheme;
use rustls::pki_types::ServerName;

use super::Compiler;
use crate::{
    modules::gateway::{
        adapters::target::Target,
        config::{UpstreamConfig, UpstreamProtocol},
    },
    platform::tls::{ClientConnector, ClientTls},
};

impl Compiler<'_> {
    /// Puts an upstream's own TLS and protocol into its targets.
    pub(super) fn target_protocol(&mut self, key: &str, config: &UpstreamConfig, targets: &mut [Target]) {
        let is_h2 = config.protocol == UpstreamProtocol::H2;
        if is_h2 {
            for target in targets.iter_mut() {
                let authority = target.authority.to_str().ok().and_then(|text| text.parse().ok());
                let scheme = if target.endpoint.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
                target.endpoint.h2 = authority.map(|authority| (scheme, authority));
            }
        }
        if config.tls.is_some() || is_h2 {
            self.target_tls(key, config, targets, if is_h2 { &["h2"] } else { &[] });
        }
    }

    fn target_tls(
        &mut self,
        key: &str,
        config: &UpstreamConfig,
        targets: &mut [Target],
        protocols: &'static [&'static str],
    ) {
        let is_asked = config.tls.is_some();
        let tls = config.tls.clone().unwrap_or_default();
        let table = format!("{key}.tls");
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
        let connector = match ClientConnector::load(settings, protocols) {
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
                None if is_asked => return self.fault(table, "expected targets with https://"),
                None => {}
            }
        }
    }
}
