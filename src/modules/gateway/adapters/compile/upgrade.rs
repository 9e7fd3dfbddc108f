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
        let speaks_h2 =
            |upstream: &&UpstreamConfig| upstream.name == config.upstream && upstream.protocol == UpstreamProtocol::H2;
        if !config.upgrade.is_empty() && self.config.upstreams.iter().any(|upstream| speaks_h2(&upstream)) {
            self.fault(key, "expected an upstream with protocol = \"http1\": HTTP/2 does not change protocols");
        }
        let is_upstream = self.config.upstreams.iter().any(|upstream| upstream.name == config.upstream);
        if !config.upgrade.is_empty() && !is_upstream {
            self.fault(key, "expected an upstream: roles do not change protocols");
        }
    }
}
