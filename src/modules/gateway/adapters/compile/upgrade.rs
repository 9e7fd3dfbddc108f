//! Changes of protocol: checked.

use super::Compiler;
use crate::modules::gateway::{
    adapters::upgrade::is_protocol,
    config::{RouteConfig, UpstreamConfig, UpstreamProtocol},
};

impl Compiler<'_> {
    /// Checks `upgrade` of a route.
    pub(super) fn upgrade(&mut self, key: &str, config: &RouteConfig) {
        for (number, protocol) in config.upgrade.iter().enumerate() {
            if !is_protocol(protocol) {
                self.fault(format!("{key}[{number}]"), "expected a protocol such as \"websocket\"");
            } else if ["h2c", "h2"].iter().any(|name| protocol.eq_ignore_ascii_case(name)) {
                self.fault(
                    format!("{key}[{number}]"),
                    "HTTP/2 is spoken over TLS only; requests in it would pass by all that routes ask for",
                );
            }
        }
        if config.upgrade.is_empty() {
            return;
        }
        let parts = config.split.iter().map(|part| part.upstream.as_str());
        let names: Vec<&str> = if config.split.is_empty() { vec![&config.upstream] } else { parts.collect() };
        let leads_to = |upstream: &&UpstreamConfig| names.contains(&upstream.name.as_str());
        let upstreams: Vec<&UpstreamConfig> = self.config.upstreams.iter().filter(leads_to).collect();
        if upstreams.iter().any(|upstream| upstream.protocol == UpstreamProtocol::H2) {
            self.fault(key, "expected an upstream with protocol = \"http1\": HTTP/2 does not change protocols");
        }
        if upstreams.is_empty() {
            self.fault(key, "expected an upstream: roles do not change protocols");
        }
    }
}
