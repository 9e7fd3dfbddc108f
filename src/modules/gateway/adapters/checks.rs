//! What a request must be before it goes on: one host, no other protocol, no body that is too long; and what is believed
//! of where it came from.

use std::{
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
};

use actix_web::{
    HttpMessage as _,
    dev::ServiceRequest,
    http::{
        Method, Uri,
        header::{
            ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, HOST, HeaderValue, ORIGIN, TRANSFER_ENCODING,
            X_FORWARDED_HOST, X_FORWARDED_PROTO,
        },
    },
};

use super::pipeline::{context_of, is_trusted_peer};
use crate::{
    modules::gateway::domain::host::without_port,
    platform::http::{
        Problem, RequestContext, TraceContext, Wire,
        address::client_address,
        http2::ClientCertificate,
        problem::{BODY_TOO_LARGE, HEAD_TOO_LARGE, MALFORMED_REQUEST},
    },
};

/// Where a request came from, as far as it is believed.
pub(super) struct Client {
    pub(super) ip: IpAddr,
    /// `http` or `https`, as the client sees it.
    pub(super) scheme: &'static str,
    /// Whether the peer is a proxy that is believed.
    pub(super) is_trusted: bool,
    /// The host that the client asked a trusted proxy for.
    pub(super) forwarded_host: Option<String>,
}

impl Client {
    /// Reads it from the connection, the context, and the headers of trusted proxies.
    pub(super) fn of(request: &ServiceRequest, trusted: &[ipnet::IpNet], own_scheme: &'static str) -> Self {
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let ip = request.extensions().get::<RequestContext>().map(|context| context.client_ip);
        let ip = ip.unwrap_or_else(|| client_address(peer, request.headers(), trusted));
        if !is_trusted_peer(request, trusted) {
            return Self { ip, scheme: own_scheme, is_trusted: false, forwarded_host: None };
        }
        // The entry of the proxy next to us is the last one.
        let last = |value: &HeaderValue| value.to_str().ok()?.rsplit(',').next().map(|text| text.trim().to_owned());
        let scheme = match request.headers().get(X_FORWARDED_PROTO).and_then(last).as_deref() {
            Some("https") => "https",
            Some("http") => "http",
            _ => own_scheme,
        };
        let host = request.headers().get(X_FORWARDED_HOST).and_then(last).filter(|host| is_host(host));
        Self { ip, scheme, is_trusted: true, forwarded_host: host }
    }

    /// The request's context; without the front middleware, one of the connection alone.
    pub(super) fn context(&self, request: &ServiceRequest) -> RequestContext {
        context_of(request).unwrap_or_else(|| RequestContext {
            request_id: "-".into(),
            trace: TraceContext { trace_id: 1, span_id: 1, sampled: false, state: None },
            client_ip: self.ip,
        })
    }
}

/// The host that is asked for, without port. A request target that names another than `Host` does is refused.
pub(super) fn host(request: &ServiceRequest, uri: &Uri) -> Result<String, Problem> {
    let malformed = |detail: &str| Problem::new(&MALFORMED_REQUEST, detail);
    let header = match request.headers().get(HOST) {
        Some(value) => value.to_str().map_err(|_| malformed("the Host header is no host"))?,
        None => "",
    };
    if !header.is_empty() && !is_host(header) {
        return Err(malformed("the Host header is no host"));
    }
    match uri.authority() {
        Some(authority) if !header.is_empty() && !authority.as_str().eq_ignore_ascii_case(header) => {
            Err(malformed("the request target and the Host header name different hosts"))
        }
        Some(authority) => Ok(without_port(authority.as_str()).to_owned()),
        None => Ok(without_port(header).to_owned()),
    }
}

fn is_host(text: &str) -> bool {
    text.len() <= 255
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']'))
}

/// The method that a CORS preflight asks for.
pub(super) fn preflight_method(request: &ServiceRequest) -> Option<Method> {
    if request.method() != Method::OPTIONS || !request.headers().contains_key(ORIGIN) {
        return None;
    }
    Method::from_bytes(request.headers().get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

/// The certificate that the client has proved itself with (RFC 9440).
pub(super) fn client_certificate(request: &ServiceRequest, wire: Option<&Rc<Wire>>) -> Option<HeaderValue> {
    match wire {
        Some(wire) => wire.client_certificate(),
        None => request.extensions().get::<ClientCertificate>().map(|certificate| certificate.0.clone()),
    }
}

/// The longest request head.
const MOST_HEAD_BYTES: usize = 64 << 10;

/// Refuses a head that the parser let pass and that is longer than is promised.
pub(super) fn head_size(request: &ServiceRequest) -> Result<(), Problem> {
    let uri = request.uri();
    let target = uri.path().len() + uri.query().map_or(0, str::len);
    // A colon, a space and the line's end beside name and value.
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if target + lines.sum::<usize>() > MOST_HEAD_BYTES {
        return Err(Problem::new(&HEAD_TOO_LARGE, "the request line and the headers are longer than 64 KiB"));
    }
    Ok(())
}

/// The body's length: 0 without one, `None` when it is chunked. One that is announced as too long is refused unread.
pub(super) fn announced_length(request: &ServiceRequest, limit: u64) -> Result<Option<u64>, Problem> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) {
        return Ok(None);
    }
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(Some(0)) };
    let length = value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
    let length = length.ok_or_else(|| Problem::new(&MALFORMED_REQUEST, "Content-Length is no number"))?;
    if length > limit {
        return Err(Problem::new(&BODY_TOO_LARGE, format!("the body is longer than {limit} bytes")));
    }
    Ok(Some(length))
}
