//! The outbound HTTP client: kept connections, bounded bodies, no redirects, and addresses that are never dialled.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    Request, Response, StatusCode, Uri,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use tower_service::Service;

/// Whether an address must never be called: link-local ones, and those where clouds serve their instances' secrets.
pub fn is_forbidden(address: IpAddr) -> bool {
    const EC2_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast(),
        IpAddr::V6(v6) => {
            // IPv4 behind NAT64 (RFC 6052), or as a compatible address, is judged as IPv4.
            let segments = v6.segments();
            let embedded = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] || (segments[..6] == [0; 6] && segments[6] != 0);
            let [.., a, b, c, d] = v6.octets();
            let v4_forbidden = embedded && is_forbidden(IpAddr::from([a, b, c, d]));
            v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast() || v6 == EC2_METADATA || v4_forbidden
        }
    }
}

/// Whether `host`, as it stands in an address, is literally one that must never be called. Names are judged when they
/// are resolved.
pub fn is_forbidden_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().is_ok_and(is_forbidden)
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientFault {
    /// No connection came about, or the address must not be called.
    #[error("cannot connect")]
    Connect,
    /// The connection broke, or what came was not HTTP.
    #[error("the connection broke off")]
    Broken,
    /// The body is longer than the limit.
    #[error("the answer is too large")]
    TooLarge,
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
}

/// A whole answer.
#[derive(Debug)]
pub struct Fetched {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// The client. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    inner: Client<HttpsConnector<HttpConnector<CheckedResolver>>, Full<Bytes>>,
}

impl HttpClient {
    /// A client that waits so long for a connection.
    pub fn new(connect_timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(CheckedResolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        let tls = hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1();
        let inner = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(64)
            .pool_timer(TokioTimer::new())
            .build(tls.wrap_connector(tcp));
        Self { inner }
    }

    /// Sends a request and gives the head of the answer; the body streams. Redirects are answers. Dropping the future or
    /// the body ends the call.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientFault> {
        if request.uri().host().is_none_or(is_forbidden_host) {
            return Err(ClientFault::Connect);
        }
        self.inner
            .request(request)
            .await
            .map_err(|fault| if fault.is_connect() { ClientFault::Connect } else { ClientFault::Broken })
    }

    /// Sends a request and reads the whole answer, which may be `body_limit` bytes and take `timeout` in all.
    pub async fn fetch(
        &self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
        body_limit: usize,
    ) -> Result<Fetched, ClientFault> {
        let fetch = async {
            let (head, body) = self.send(request).await?.into_parts();
            // A head that says its length in two ways (RFC 9112 §6.3) or speaks another protocol is no answer.
            let framed_twice =
                head.headers.contains_key(CONTENT_LENGTH) && head.headers.contains_key(TRANSFER_ENCODING);
            if framed_twice || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(ClientFault::Broken);
            }
            let body = Limited::new(body, body_limit).collect().await.map_err(|fault| {
                let too_large = fault.is::<http_body_util::LengthLimitError>();
                if too_large { ClientFault::TooLarge } else { ClientFault::Broken }
            })?;
            Ok(Fetched { status: head.status, headers: head.headers, body: Vec::from(body.to_bytes()) })
        };
        tokio::time::timeout(timeout, fetch).await.unwrap_or(Err(ClientFault::Timeout))
    }
}

/// Whether the text is an address this client can call.
pub fn is_callable(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !is_forbidden_host(host)))
}

/// Resolves a name once; what may not be called is not among the addresses, so it cannot be dialled.
#[derive(Debug, Clone, Copy)]
struct CheckedResolver;

type Resolving = Pin<Box<dyn Future<Output = io::Result<std::vec::IntoIter<SocketAddr>>> + Send>>;

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Resolving;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| !is_forbidden(address.ip())).collect();
            if allowed.is_empty() {
                return Err(io::Error::from(io::ErrorKind::PermissionDenied));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_link_local_addresses_are_forbidden_in_every_spelling() {
        for wrong in [
            "169.254.169.254",
            "169.254.0.1",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "[fd00:ec2::254]",
            "0.0.0.0",
            "[64:ff9b::a9fe:a9fe]",
            "[::a9fe:a9fe]",
            "[::]",
            "224.0.0.1",
        ] {
            assert!(is_forbidden_host(wrong), "{wrong}");
        }
        for right in ["127.0.0.1", "10.0.0.1", "[::1]", "example.com", "[fd00::1]"] {
            assert!(!is_forbidden_host(right), "{right}");
        }
    }
}
