//! A change of protocols (RFC 9110 §7.8): who may ask for it, and what must have been answered before it happens.

use actix_web::{
    HttpResponse,
    body::BoxBody,
    dev::ServiceRequest,
    http::{
        ConnectionType, Method, StatusCode, Version,
        header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING, UPGRADE},
    },
};

use super::{
    outgoing::Outgoing,
    proxy::Answer,
    route::Route,
    tunnel::TunnelBody,
    upstream::{Place, Upstream},
};
use crate::platform::http::{
    Problem,
    problem::{BAD_GATEWAY, MALFORMED_REQUEST},
};

/// The protocol that a request asks for.
#[derive(Debug)]
pub(super) struct Asked {
    token: HeaderValue,
}

/// Reads what is asked for, if anything. A request that asks in a way that can be read in two is refused.
pub(super) fn asked(request: &ServiceRequest) -> Result<Option<Asked>, Problem> {
    let headers = request.headers();
    if !headers.contains_key(UPGRADE) {
        if *request.method() == Method::CONNECT {
            return Err(refused("CONNECT is for tunnels, and there are none here"));
        }
        return Ok(None);
    }
    let mut tokens = headers.get_all(UPGRADE);
    let token = match (tokens.next(), tokens.next()) {
        (Some(token), None) if is_one_protocol(token) => token.clone(),
        _ => return Err(refused("expected one protocol in `Upgrade`")),
    };
    if request.version() != Version::HTTP_11 || *request.method() == Method::CONNECT || !names_upgrade(headers) {
        return Err(refused("expected HTTP/1.1 and `Connection: upgrade` with `Upgrade`"));
    }
    let has_body = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body || headers.contains_key(TRANSFER_ENCODING) {
        return Err(refused("a request that changes protocols has no body"));
    }
    Ok(Some(Asked { token }))
}

fn refused(detail: &str) -> Problem {
    Problem::new(&MALFORMED_REQUEST, detail)
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
}

fn is_one_protocol(token: &HeaderValue) -> bool {
    token.to_str().is_ok_and(is_protocol)
}

/// Whether the text names a protocol: `websocket`, `name/1.0`.
pub(super) fn is_protocol(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/' | b'+'))
}

impl Asked {
    /// Refuses what the route does not allow.
    pub(super) fn must_be_allowed(&self, route: &Route) -> Result<(), Problem> {
        if route.upgrade.iter().any(|allowed| self.is(allowed.as_bytes())) {
            return Ok(());
        }
        Err(refused("this route does not change to that protocol; leave `Upgrade` away"))
    }

    /// Whether it is this protocol.
    pub(super) fn is(&self, protocol: &[u8]) -> bool {
        self.token.as_bytes().eq_ignore_ascii_case(protocol)
    }

    /// What is sent on as `Upgrade`.
    pub(super) fn token(&self) -> &HeaderValue {
        &self.token
    }
}

/// The client's `101`, with the tunnel as its body.
pub(super) fn answer(
    upstream: &Upstream,
    answer: Answer,
    outgoing: &Outgoing<'_>,
    place: Place,
) -> Result<HttpResponse<BoxBody>, Problem> {
    let broken = || Problem::new(&BAD_GATEWAY, format!("{} did not change protocols", upstream.name));
    let (Some(asked), Some(wire)) = (outgoing.upgrade, outgoing.wire) else { return Err(broken()) };
    let (stream, first) = answer.link.into_stream().ok_or_else(broken)?;
    let client = wire.tunnel().ok_or_else(broken)?;
    let body = TunnelBody::new(client, stream, &first, upstream, place);
    let mut response = HttpResponse::with_body(StatusCode::SWITCHING_PROTOCOLS, BoxBody::new(body));
    let headers = response.headers_mut();
    for (name, value) in answer.head.headers {
        let text = name.as_str();
        if !super::hygiene::is_hop_by_hop(text) && text != "content-length" && text != "x-request-id" {
            headers.append(name, value);
        }
    }
    headers.insert(UPGRADE, asked.token.clone());
    // What follows is no body: nothing is put around it.
    response.head_mut().no_chunking(true);
    response.head_mut().set_connection_type(ConnectionType::Upgrade);
    Ok(response)
}
