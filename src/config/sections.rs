//! The sections that belong to no single role.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{http2::Http2Config, tls::TlsConfig};
use crate::kernel::{
    Role, SettingFault,
    units::{ByteSize, Span},
};

/// `[server]`: the listener.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// The address to listen on.
    #[schemars(with = "String")]
    pub host: IpAddr,
    /// The port to listen on. A role that runs alone listens on its own port unless this is set.
    pub port: u16,
    /// Threads that serve requests; 0: one a core.
    pub workers: usize,
    /// How long kept connections are served on after SIGTERM, each to the end of its next answer.
    pub drain: Span,
    /// How long requests in flight may take to finish after SIGTERM.
    pub shutdown_timeout: Span,
    /// The largest request body.
    pub body_limit: ByteSize,
    /// How long a request head may take.
    pub head_timeout: Span,
    /// From these peers `Forwarded` and `X-Forwarded-*` are believed.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// TLS; absent: plain HTTP.
    pub tls: Option<TlsConfig>,
    /// Bounds of HTTP/2 from clients; absent: the defaults.
    pub http2: Option<Http2Config>,
    /// Whether `/docs`, `/redoc` and `/openapi.json` are served.
    pub docs: bool,
    /// Moves `/metrics`, `/health*`, `/admin*` and the documentation to a listener of their own.
    pub operations: Option<OperationsConfig>,
}

/// `server.operations`: a listener for operators.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationsConfig {
    /// The address to listen on.
    #[schemars(with = "String")]
    pub host: IpAddr,
    /// The port to listen on.
    pub port: u16,
    /// TLS; absent: plain HTTP.
    pub tls: Option<TlsConfig>,
}

/// `[database]`: where data is kept.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite://FILE` or `postgres://…`.
    pub url: String,
    /// The most connections held open.
    pub max_connections: u32,
}

/// `[redis]`: what instances tell each other.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://…` or `rediss://…`.
    pub url: String,
    /// What every name begins with, so that installations can share a server.
    #[serde(default = "vestibule")]
    pub prefix: String,
    /// Until a connection stands.
    #[serde(default = "connect_timeout")]
    pub connect_timeout: Span,
    /// For an answer.
    #[serde(default = "response_timeout")]
    pub response_timeout: Span,
}

fn vestibule() -> String {
    "vestibule".to_owned()
}

fn connect_timeout() -> Span {
    Span::secs(1)
}

fn response_timeout() -> Span {
    Span::millis(50)
}

/// `[log]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// How lines look; absent: pretty on a terminal, JSON elsewhere.
    pub format: Option<LogFormat>,
    /// A level, or directives in the form of `RUST_LOG`.
    pub level: String,
    /// Of so many requests that went well one leaves its line; those that did not always do.
    pub sample: u32,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// `[mail]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// `log`, `file:DIR` or `smtp://user:password@host:port`.
    pub transport: String,
    /// The sender.
    pub from: String,
    /// How many mails may wait to be sent; whoever wants one more gets 503.
    pub max_waiting: u32,
    /// How many are sent at the same time.
    pub senders: u32,
    /// How long sending one may take.
    pub send_timeout: Span,
    /// How often one is tried.
    pub attempts: u32,
    /// The wait after the first failure; each one after it is twice as long.
    pub retry_after: Span,
    /// The longest wait.
    pub retry_after_max: Span,
}

impl MailConfig {
    /// What is wrong with the numbers.
    pub fn faults(&self) -> Vec<SettingFault> {
        let (one, more) = ("expected at least 1", "expected more than zero");
        let rules = [
            ("max_waiting", self.max_waiting > 0, one),
            ("senders", self.senders > 0, one),
            ("attempts", self.attempts > 0, one),
            ("send_timeout", !self.send_timeout.get().is_zero(), more),
            ("retry_after", !self.retry_after.get().is_zero(), more),
            ("retry_after_max", self.retry_after_max >= self.retry_after, "expected no less than `retry_after`"),
        ];
        let broken = rules.into_iter().filter(|(_, is_kept, _)| !is_kept);
        broken.map(|(key, _, detail)| SettingFault::new(format!("mail.{key}"), detail)).collect()
    }
}

/// `[services]`: base URLs of the roles that run elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicesConfig {
    /// What the processes of the installation know each other by; at least 32 bytes. Absent: the network must be private.
    pub secret: Option<String>,
    /// Secrets before it, which are still good.
    #[serde(default)]
    pub previous_secrets: Vec<String>,
    /// The `auth` role.
    pub auth: String,
    /// The `aggregation` role.
    pub aggregation: String,
}

impl ServicesConfig {
    /// Where this role lives when it is not local; empty for the gateway, which nobody calls.
    pub fn url(&self, role: Role) -> &str {
        match role {
            Role::Auth => &self.auth,
            Role::Aggregation => &self.aggregation,
            Role::Gateway => "",
        }
    }
}
