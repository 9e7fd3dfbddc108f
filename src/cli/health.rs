//! `vestibule health`: asks a running process whether it is ready. A container's HEALTHCHECK without curl.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr as _,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use http::Uri;
use http_body_util::Empty;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use super::{
    failure::Failure,
    roles::RoleArguments,
    session::{Session, block_on},
};
use crate::config::Loaded;

/// A process that needs longer is not ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom to ask.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// The process, such as `http://127.0.0.1:8000`; without it: where the configuration says it listens
    url: Option<String>,
    #[command(flatten)]
    roles: RoleArguments,
}

impl Health {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let base = match &self.url {
            Some(url) => url.clone(),
            None => self.configured(&session.load()?),
        };
        let url = ready_url(&base)
            .ok_or_else(|| Failure::Usage(format!("expected a URL such as http://127.0.0.1:8000, found {base:?}")))?;
        match block_on(ask(&url))? {
            Ok(200) => Ok(session.output.result("ready")?),
            Ok(status) => Err(Failure::Failed(format!("{url} is not ready: it answered {status}"))),
            Err(reason) => Err(Failure::Failed(format!("{url} is not ready: {reason}"))),
        }
    }

    /// The listener that serves health, reached from this machine.
    fn configured(&self, loaded: &Loaded) -> String {
        let server = &loaded.config.server;
        let role_port = match self.roles.roles.as_slice() {
            [only] if !loaded.was_set("server.port") => only.default_port(),
            _ => server.port,
        };
        let (host, port) =
            server.operations.as_ref().map_or((server.host, role_port), |other| (other.host, other.port));
        let host = match host {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            host => host,
        };
        format!("http://{}", SocketAddr::new(host, port))
    }
}

/// The readiness of the process at `base`; a URL with a path is asked as it is.
fn ready_url(base: &str) -> Option<Uri> {
    let url = Uri::from_str(base).ok()?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none_or(str::is_empty) {
        return None;
    }
    if url.path() != "/" {
        return Some(url);
    }
    Uri::from_str(&format!("{}/health/ready", base.trim_end_matches('/'))).ok()
}

async fn ask(url: &Uri) -> Result<u16, String> {
    let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    match tokio::time::timeout(PATIENCE, client.get(url.clone())).await {
        Ok(Ok(answer)) => Ok(answer.status().as_u16()),
        Ok(Err(error)) if error.is_connect() => Err("nothing answers there".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_readiness_unless_told_otherwise() {
        let asked = |base: &str| ready_url(base).map(|url| url.to_string());
        assert_eq!(asked("http://a:1").as_deref(), Some("http://a:1/health/ready"));
        assert_eq!(asked("http://a:1/").as_deref(), Some("http://a:1/health/ready"));
        assert_eq!(asked("http://a:1/health/live").as_deref(), Some("http://a:1/health/live"));
        assert_eq!(asked("a:1"), None);
    }
}
