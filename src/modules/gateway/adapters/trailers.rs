//! Trailers of an answer (RFC 9110 §6.5), where the client says that it takes them and the target is going to send some. Over
//! HTTP/2 they are handed over beside the body. With HTTP/1.1 the server library ends a chunked body without any, so the chunks
//! are made here. Trailers of requests end here: whoever takes the chunked coding off may drop them (RFC 9112 §7.1.2).

use std::io::Write as _;

use actix_web::{
    HttpResponse,
    dev::{RequestHead, ServiceRequest},
    http::{Version, header as front},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue};

use super::{connection::Head, hygiene::is_hop_by_hop};
use crate::platform::http::{Problem, http2::AnswerTrailers, problem::UNSUPPORTED_MEDIA_TYPE};

/// Whether the client takes trailers.
pub(super) fn are_taken(head: &RequestHead) -> bool {
    let values = head.headers.get_all(front::TE).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Whether the client takes trailers and the target may send some.
pub(super) fn are_wanted(head: &RequestHead, answer: &Head) -> bool {
    let may_come = answer.version == Version::HTTP_2 || answer.get(&front::TRAILER).is_some();
    may_come && matches!(head.version, Version::HTTP_11 | Version::HTTP_2) && are_taken(head)
}

/// Says that trailers are coming, with HTTP/1.1 chunks too.
pub(super) fn announce<B>(response: &mut HttpResponse<B>, from: &Head, trailers: AnswerTrailers, to: &RequestHead) {
    if to.version == Version::HTTP_2 {
        response.extensions_mut().insert(trailers);
    } else {
        response.head_mut().no_chunking(true);
        response.headers_mut().insert(front::TRANSFER_ENCODING, front::HeaderValue::from_static("chunked"));
    }
    let headers = response.headers_mut();
    for value in from.all(&front::TRAILER) {
        headers.append(front::TRAILER, value.clone());
    }
}

/// What follows a body.
#[derive(Debug)]
pub(super) struct Trailers {
    kept: Vec<(front::HeaderName, front::HeaderValue)>,
    /// Who takes them over HTTP/2.
    taker: Option<AnswerTrailers>,
}

impl Trailers {
    /// Those of an answer to this request, and who gets them over HTTP/2.
    pub(super) fn of(head: &RequestHead) -> (Self, AnswerTrailers) {
        let taker = AnswerTrailers::default();
        let is_h2 = head.version == Version::HTTP_2;
        (Self { kept: Vec::new(), taker: is_h2.then(|| taker.clone()) }, taker)
    }

    /// A piece of the body as it goes to the client.
    pub(super) fn piece(&self, bytes: Bytes) -> Bytes {
        if self.taker.is_some() { bytes } else { chunk(&bytes) }
    }

    /// The end of the body; nothing over HTTP/2, where the trailers go beside it.
    pub(super) fn end(self) -> Option<Bytes> {
        let Some(taker) = &self.taker else { return Some(self.last_chunk()) };
        let may_stand = self.kept.iter().filter(|(name, _)| !is_misplaced(name.as_str()));
        let as_sent = |(name, value): &(front::HeaderName, front::HeaderValue)| {
            let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
        };
        taker.set(may_stand.filter_map(as_sent).collect());
        None
    }

    /// Keeps them until the body is through.
    pub(super) fn take(&mut self, trailers: Vec<(front::HeaderName, front::HeaderValue)>) {
        self.kept.extend(trailers);
    }

    /// The end of the body with chunks, with the trailers that may stand there.
    fn last_chunk(&self) -> Bytes {
        let mut text = BytesMut::from("0\r\n");
        for (name, value) in &self.kept {
            let name = name.as_str();
            if !is_misplaced(name) {
                text.extend_from_slice(name.as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(value.as_bytes());
                text.extend_from_slice(b"\r\n");
            }
        }
        text.extend_from_slice(b"\r\n");
        text.freeze()
    }
}

/// Whether it may not be a trailer: nothing about framing, routing or who somebody is.
fn is_misplaced(name: &str) -> bool {
    is_hop_by_hop(name)
        || matches!(
            name,
            "content-length"
                | "content-encoding"
                | "content-type"
                | "content-range"
                | "host"
                | "set-cookie"
                | "authorization"
                | "location"
                | "cache-control"
                | "vary"
                | "age"
        )
}

/// A piece of a body as a chunk.
fn chunk(bytes: &[u8]) -> Bytes {
    let mut chunk = Vec::with_capacity(bytes.len() + 20);
    let _ = write!(chunk, "{:x}\r\n", bytes.len());
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk.into()
}

/// gRPC says how a call went in trailers of HTTP/2, which clients of HTTP/1.1 cannot take: better told than lost.
pub(super) fn refuse_grpc(request: &ServiceRequest) -> Result<(), Problem> {
    let content_type = request.headers().get(front::CONTENT_TYPE).map(front::HeaderValue::as_bytes).unwrap_or_default();
    let is_grpc = content_type.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"));
    // `application/grpc-web` carries them in the body.
    if is_grpc && content_type.get(16) != Some(&b'-') && request.version() != Version::HTTP_2 {
        let detail = "gRPC needs HTTP/2 between client and server, and this request came by HTTP/1.1; gRPC-Web works";
        return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(())
}
