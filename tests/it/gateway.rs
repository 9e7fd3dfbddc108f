//! The front door, from outside.

mod balancing;
mod broken_upstreams;
mod cache;
mod framing;
mod headers;
#[cfg(feature = "http2")]
mod http2;
mod limits;
mod limits_shown;
mod paths;
mod policies;
mod reload;
mod routing;
mod shared_breakers;
mod shared_limits;
mod streaming;
mod tls;
mod upgrades;

/// A configuration with one upstream, `u`, served under `/u`.
pub(crate) fn upstream(url: &str, of_upstream: &str, of_route: &str) -> String {
    format!(
        "[gateway]\nrate_limit = false\n\n[[gateway.upstreams]]\nname = \"u\"\ntargets = [{{ url = \"{url}\" }}]\n{of_upstream}\n\n\
         [[gateway.routes]]\nname = \"u\"\npath = \"/u/{{*rest}}\"\nupstream = \"u\"\nstrip_prefix = \"/u\"\n{of_route}\n"
    )
}
