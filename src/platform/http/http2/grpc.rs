//! Faults of ours as gRPC tells them: with HTTP's status 200 and a status of its own, in headers that are trailers at once
//! ("gRPC over HTTP2", Responses).

use std::{error::Error, fmt::Write as _};

use actix_http::Response;
use actix_web::body::MessageBody;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::answer::{AnswerBody, headers, take_unseen};
use crate::platform::http::{Problem, problem::PROBLEM_JSON};

const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";

/// Whether a request is one of gRPC; gRPC-Web (`application/grpc-web`) reads answers of HTTP.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_grpc = content_type.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"));
    is_grpc && matches!(content_type.get(16), None | Some(b'+' | b';' | b' '))
}

/// The status of gRPC for an answer that is a fault of ours.
pub(super) fn status<B>(response: &Response<B>) -> Option<u8> {
    let content_type = response.headers().get("content-type").map(actix_web::http::header::HeaderValue::as_bytes);
    if content_type != Some(PROBLEM_JSON.as_bytes()) {
        return None;
    }
    Some(match response.status().as_u16() {
        // INVALID_ARGUMENT
        422 => 3,
        // DEADLINE_EXCEEDED
        408 | 504 => 4,
        // PERMISSION_DENIED
        403 => 7,
        // RESOURCE_EXHAUSTED
        413 | 429 => 8,
        // UNIMPLEMENTED
        404 | 405 | 415 => 12,
        // INTERNAL
        400 | 431 | 500 => 13,
        // UNAVAILABLE
        502 | 503 => 14,
        // UNAUTHENTICATED
        401 => 16,
        // UNKNOWN
        _ => 2,
    })
}

/// The trailers of an answer that broke off in its middle.
pub(super) fn broken_off(mut why: &(dyn Error + 'static)) -> HeaderMap {
    // The libraries between say no more than that it did.
    while let Some(reason) = why.source() {
        why = reason;
    }
    let mut trailers = HeaderMap::new();
    // UNAVAILABLE
    trailers.insert(STATUS, HeaderValue::from(14));
    if let Ok(message) = HeaderValue::from_str(&encoded(&why.to_string())) {
        trailers.insert(MESSAGE, message);
    }
    trailers
}

/// The answer: its headers stay, its body becomes a message.
pub(super) fn answer<R, B>(response: Response<R>, status: u8) -> http::Response<AnswerBody<B>>
where
    R: MessageBody + 'static,
{
    let mut headers = headers(response.headers(), false);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from(u16::from(status)));
    let message = response.extensions().get::<Problem>().map(ToString::to_string);
    let message = message.unwrap_or_else(|| response.status().to_string());
    if let Ok(message) = HeaderValue::from_str(&encoded(&message)) {
        headers.insert(MESSAGE, message);
    }
    take_unseen(response.into_body());
    let mut answer = http::Response::new(AnswerBody::none());
    *answer.status_mut() = StatusCode::OK;
    *answer.headers_mut() = headers;
    answer
}

/// `Status-Message` is percent-encoded: of ASCII, space to `~`, all but `%` stays.
fn encoded(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' => text.push_str("%25"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_grpc_are_known_by_their_content_type() {
        let asks = |content_type: &'static str| {
            is_asked(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]))
        };
        for grpc in ["application/grpc", "application/grpc+proto", "Application/gRPC; a=b"] {
            assert!(asks(grpc), "{grpc}");
        }
        for other in ["application/grpc-web", "application/grpcs", "application/json", ""] {
            assert!(!asks(other), "{other}");
        }
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(encoded("100% für ~\n"), "100%25 f%C3%BCr ~%0A");
    }
}
