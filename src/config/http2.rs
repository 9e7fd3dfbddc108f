//! `server.http2`: HTTP/2 from clients.

use serde::{Deserialize, Serialize};

use crate::kernel::{
    SettingFault,
    units::{ByteSize, Span},
};

/// The largest window of flow control (RFC 9113 §6.9.1).
const LARGEST_WINDOW: u64 = (1 << 31) - 1;
/// The window that every connection begins with (RFC 9113 §6.9.2).
const FIRST_WINDOW: u64 = (1 << 16) - 1;

/// The bounds of a connection.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http2Config {
    /// Requests at the same time.
    #[serde(default = "max_streams")]
    pub max_streams: u32,
    /// Requests that the client may break off before their answer, more than were answered.
    #[serde(default = "max_resets")]
    pub max_resets: u32,
    /// How much of a request's body may come before it was taken.
    #[serde(default = "stream_window")]
    pub stream_window: ByteSize,
    /// The same for all requests of a connection together.
    #[serde(default = "connection_window")]
    pub connection_window: ByteSize,
    /// How often a client is asked whether it is still there.
    #[serde(default = "ping_interval")]
    pub ping_interval: Span,
    /// How long it may take to say so.
    #[serde(default = "ping_timeout")]
    pub ping_timeout: Span,
    /// How long a connection without requests is kept.
    #[serde(default = "idle_timeout")]
    pub idle_timeout: Span,
}

impl Default for Http2Config {
    fn default() -> Self {
        Self {
            max_streams: max_streams(),
            max_resets: max_resets(),
            stream_window: stream_window(),
            connection_window: connection_window(),
            ping_interval: ping_interval(),
            ping_timeout: ping_timeout(),
            idle_timeout: idle_timeout(),
        }
    }
}

impl Http2Config {
    /// Numbers that make no sense.
    pub(super) fn check(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, name: &str, expected: &str| {
            if !holds {
                faults.push(SettingFault::new(format!("server.http2.{name}"), expected));
            }
        };
        expect(self.max_streams > 0, "max_streams", "expected at least 1");
        expect(self.max_resets > 0, "max_resets", "expected at least 1");
        let is_window = |size: ByteSize| (FIRST_WINDOW..=LARGEST_WINDOW).contains(&size.0);
        expect(is_window(self.stream_window), "stream_window", "expected 64KiB to 2047MiB");
        expect(is_window(self.connection_window), "connection_window", "expected 64KiB to 2047MiB");
        expect(!self.ping_interval.get().is_zero(), "ping_interval", "expected more than 0s");
        expect(!self.ping_timeout.get().is_zero(), "ping_timeout", "expected more than 0s");
        expect(!self.idle_timeout.get().is_zero(), "idle_timeout", "expected more than 0s");
        faults
    }
}

fn max_streams() -> u32 {
    128
}

fn max_resets() -> u32 {
    200
}

fn stream_window() -> ByteSize {
    ByteSize(256 << 10)
}

fn connection_window() -> ByteSize {
    ByteSize::mib(1)
}

fn ping_interval() -> Span {
    Span::secs(30)
}

fn ping_timeout() -> Span {
    Span::secs(10)
}

fn idle_timeout() -> Span {
    Span::secs(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_as_they_are_documented() {
        let documented = crate::config::DEFAULTS.lines().skip_while(|line| *line != "# [server.http2]");
        let lines = documented.map(|line| line.trim_start_matches("# ")).take(8).collect::<Vec<_>>().join("\n");
        let read: Config = toml::from_str(&lines).unwrap();
        let shown = |config: &Http2Config| serde_json::to_value(config).unwrap();
        assert_eq!(shown(&read.server.http2), shown(&Http2Config::default()));
        assert!(Http2Config::default().check().is_empty());
    }

    #[derive(Deserialize)]
    struct Config {
        server: Server,
    }

    #[derive(Deserialize)]
    struct Server {
        http2: Http2Config,
    }

    #[test]
    fn every_number_that_makes_no_sense_is_told() {
        let wrong = Http2Config {
            max_streams: 0,
            max_resets: 0,
            stream_window: ByteSize(1),
            connection_window: ByteSize(1 << 31),
            ping_interval: Span::secs(0),
            ping_timeout: Span::secs(0),
            idle_timeout: Span::secs(0),
        };
        assert_eq!(wrong.check().len(), 7);
    }
}
