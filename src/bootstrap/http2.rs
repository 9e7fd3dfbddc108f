//! Whether clients may speak HTTP/2, and within which bounds.

use crate::{config::ServerConfig, kernel::SettingFault, platform::http::http2::Http2};

/// Whether it is compiled in.
const IS_HERE: bool = cfg!(feature = "http2");

/// The bounds, where clients may.
pub(super) fn bounds(server: &ServerConfig) -> Option<Http2> {
    let config = IS_HERE.then(|| server.http2.clone().unwrap_or_default())?;
    let window = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX >> 1);
    Some(Http2 {
        max_streams: config.max_streams,
        max_resets: config.max_resets,
        stream_window: window(config.stream_window.0),
        connection_window: window(config.connection_window.0),
        ping_interval: config.ping_interval.get(),
        ping_timeout: config.ping_timeout.get(),
        idle_timeout: config.idle_timeout.get(),
    })
}

/// What is offered to clients over TLS, the preferred one first.
pub(super) fn protocols() -> &'static [&'static str] {
    if IS_HERE { &["h2", "http/1.1"] } else { &["http/1.1"] }
}

/// Bounds of what is not here.
pub(super) fn check(server: &ServerConfig) -> Option<SettingFault> {
    let is_idle = server.http2.is_some() && !IS_HERE;
    is_idle.then(|| SettingFault::new("server.http2", "HTTP/2 is not compiled into this binary (feature `http2`)"))
}
