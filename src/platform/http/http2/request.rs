//! A request of HTTP/2 as the application knows requests: as one of HTTP/1.1 would be.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_http::{Payload, Request, error::PayloadError};
use actix_web::{
    HttpMessage as _,
    http::{
        Method, Uri, Version,
        header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING},
    },
};
use bytes::Bytes;
use futures_util::Stream;
use http::header;
use hyper::body::{Body as _, Incoming};

use super::{Client, ClientCertificate, broken};

/// The request for the application.
pub(super) fn accept(request: http::Request<Incoming>, client: &Client) -> Request {
    let (parts, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    let payload = if has_body { Payload::Stream { payload: Box::pin(Pieces(body)) as _ } } else { Payload::None };
    let mut request = Request::with_payload(payload);
    let head = request.head_mut();
    head.method = Method::from_bytes(parts.method.as_str().as_bytes()).unwrap_or_default();
    head.version = Version::HTTP_2;
    head.peer_addr = client.peer;
    copy(&parts.headers, &mut head.headers);
    head.uri = target(&parts.uri, &mut head.headers);
    // The end of a body of unknown length is where its stream says so, as it is with chunks.
    if has_body && !parts.headers.contains_key(header::CONTENT_LENGTH) {
        head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(certificate) = &client.certificate {
        request.extensions_mut().insert(ClientCertificate(certificate.clone()));
    }
    request
}

fn copy(from: &http::HeaderMap, to: &mut HeaderMap) {
    to.reserve(from.len() + 2);
    let mut cookies = Vec::new();
    for (name, value) in from {
        if name == header::COOKIE {
            // One header may come in crumbs (RFC 9113 §8.2.3).
            if !cookies.is_empty() {
                cookies.extend_from_slice(b"; ");
            }
            cookies.extend_from_slice(value.as_bytes());
            continue;
        }
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            to.append(name, value);
        }
    }
    if let (false, Ok(value)) = (cookies.is_empty(), HeaderValue::from_maybe_shared(Bytes::from(cookies))) {
        to.insert(COOKIE, value);
    }
}

/// The target as HTTP/1.1 has it, and one `Host` for `:authority` (RFC 9113 §8.3.1). Where different hosts are named two of them
/// stay, so that the request is judged as one of HTTP/1.1 that says two things.
fn target(uri: &http::Uri, headers: &mut HeaderMap) -> Uri {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let authority = authority.or_else(|| headers.get(HOST)?.to_str().ok()).unwrap_or_default().to_owned();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let differs = |host: &&HeaderValue| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    let other = headers.get_all(HOST).find(differs).cloned();
    let is_plain = other.is_none() && uri.path_and_query().is_some();
    let host = other.or_else(|| HeaderValue::from_str(&authority).ok().filter(|_| !authority.is_empty()));
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
    let target = match (is_plain, uri.path_and_query()) {
        (true, _) => Uri::try_from(path),
        // Of a tunnel there is no path.
        (false, None) => Uri::try_from(authority),
        (false, Some(_)) => Uri::try_from(format!("http://{authority}{path}")),
    };
    target.unwrap_or_default()
}

/// The pieces of a request's body. Each one taken lets the client send as much again.
struct Pieces(Incoming);

impl Stream for Pieces {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => {
                    let error: io::Error = broken(error);
                    return Poll::Ready(Some(Err(PayloadError::Incomplete(Some(error)))));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                    // Whoever takes the body on as one of HTTP/1.1 may drop its trailers (RFC 9110 §6.5.1).
                    Ok(_) | Err(_) => {}
                },
            }
        }
    }
}
