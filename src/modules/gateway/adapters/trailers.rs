//! Trailers of an answer (RFC 9110 §6.5). The server library ends a chunked body without any, so the chunks are made here
//! where the client says that it takes trailers and the target is going to send some. Trailers of requests end here: whoever
//! takes the chunked coding off may drop them (RFC 9112 §7.1.2).

use std::io::Write as _;

use actix_web::{
    HttpResponse,
    dev::{RequestHead, ServiceRequest},
    http::{Version, header as front},
};
use bytes::{Bytes, BytesMut};

use super::{connection::Head, hygiene::is_hop_by_hop};
use crate::platform::http::{Problem, problem::UNSUPPORTED_MEDIA_TYPE};

/// Whether the client takes trailers.
pub(super) fn are_taken(head: &RequestHead) -> bool {
    let values = head.headers.get_all(front::TE).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Whether the client takes trailers and the target may send some.
pub(super) fn are_wanted(head: &RequestHead, answer: &Head) -> bool {
    let may_come = answer.version == Version::HTTP_2 || answer.get(&front::TRAILER).is_some();
    may_come && head.version == Version::HTTP_11 && are_taken(head)
}

/// Says that chunks and trailers are coming.
pub(super) fn announce<B>(response: &mut HttpResponse<B>, from: &Head) {
    response.head_mut().no_chunking(true);
    let headers = response.headers_mut();
    headers.insert(front::TRANSFER_ENCODING, front::HeaderValue::from_static("chunked"));
    for value in from.all(&front::TRAILER) {
        headers.append(front::TRAILER, value.clone());
    }
}

/// What follows a body.
#[derive(Debug, Default)]
pub(super) struct Trailers(Vec<(front::HeaderName, front::HeaderValue)>);

impl Trailers {
    /// Keeps them until the body is through.
    pub(super) fn take(&mut self, trailers: Vec<(front::HeaderName, front::HeaderValue)>) {
        self.0.extend(trailers);
    }

    /// The end of the body, with the trailers that may stand there: none about framing, routing or who somebody is.
    pub(super) fn last_chunk(&self) -> Bytes {
        let mut text = BytesMut::from("0\r\n");
        for (name, value) in &self.0 {
            let name = name.as_str();
            let is_misplaced = is_hop_by_hop(name)
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
                );
            if !is_misplaced {
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

/// A piece of a body as a chunk.
pub(super) fn chunk(bytes: &[u8]) -> Bytes {
    let mut chunk = Vec::with_capacity(bytes.len() + 20);
    let _ = write!(chunk, "{:x}\r\n", bytes.len());
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk.into()
}

/// gRPC says how a call went in trailers of HTTP/2, which cannot be sent to clients: better told than lost.
pub(super) fn refuse_grpc(request: &ServiceRequest) -> Result<(), Problem> {
    let content_type = request.headers().get(front::CONTENT_TYPE).map(front::HeaderValue::as_bytes).unwrap_or_default();
    let is_grpc = content_type.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"));
    // `application/grpc-web` carries them in the body.
    if is_grpc && content_type.get(16) != Some(&b'-') {
        let detail =
            "gRPC needs trailers at the end of answers over HTTP/2, which are not available here; gRPC-Web works";
        return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(())
}
