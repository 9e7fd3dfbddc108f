//! Answers to requests that no handler sees: their framing is refused here, or the HTTP library cannot parse them, or their
//! head does not come to its end. The library answers with a bare status; what is sent in its place tells what is wrong, as
//! every other error does, and leaves a line in the log.

use std::{net::SocketAddr, time::SystemTime};

use actix_web::http::header::HttpDate;
use bytes::Bytes;

use crate::{
    kernel::{Clock as _, SystemClock, ids::new_uuid},
    platform::{
        http::{
            Problem,
            address::address_text,
            problem::{HEAD_TOO_LARGE, MALFORMED_REQUEST, PROBLEM_JSON, REQUEST_TIMEOUT},
        },
        random::SystemRandom,
    },
};

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform::http) enum Refusal {
    /// It can be read in two ways, or in none.
    Malformed,
    /// Its head does not come to its end.
    Slow,
    /// Its head is longer than the library takes.
    TooLarge,
}

impl Refusal {
    /// What the library says in these bytes, when they are an answer of its own: it has no body, and none of the headers that
    /// every answer of ours has.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
        let refusal = match rest.get(..4)? {
            b"400 " => Self::Malformed,
            b"408 " => Self::Slow,
            b"431 " => Self::TooLarge,
            _ => return None,
        };
        let has = |what: &[u8]| bytes.windows(what.len()).any(|window| window.eq_ignore_ascii_case(what));
        let is_bare = bytes.ends_with(b"\r\n\r\n") && has(b"\r\ncontent-length: 0\r\n") && !has(b"\r\nx-request-id:");
        is_bare.then_some(refusal)
    }

    /// The answer, which is the last on its connection. Logged and counted.
    pub(in crate::platform::http) fn answer(self, peer: Option<SocketAddr>) -> Bytes {
        let (kind, reason, detail) = match self {
            Self::Malformed => {
                (&MALFORMED_REQUEST, "Bad Request", "the request breaks RFC 9112, or can be read in more than one way")
            }
            Self::Slow => (&REQUEST_TIMEOUT, "Request Timeout", "the request's head did not come to its end in time"),
            Self::TooLarge => (
                &HEAD_TOO_LARGE,
                "Request Header Fields Too Large",
                "the request line and the headers are too long together",
            ),
        };
        let id = new_uuid(&SystemClock, &SystemRandom).as_hyphenated().to_string();
        metrics::counter!("http_requests_refused_total", "code" => kind.code).increment(1);
        let client = peer.map(|peer| address_text(peer.ip().to_canonical()));
        tracing::info!(
            event = "request_refused",
            request_id = &*id,
            status = kind.status,
            code = kind.code,
            client_ip = client.as_deref(),
        );
        let body = Problem::new(kind, detail).body("", &id);
        let head = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\nconnection: close\r\n\
             x-request-id: {id}\r\ndate: {}\r\n\r\n",
            kind.status,
            body.len(),
            HttpDate::from(SystemTime::from(SystemClock.now()))
        );
        [head.as_bytes(), &body].concat().into()
    }
}

/// Where the library's own answer begins behind one of ours, in bytes that it writes at once.
pub(super) fn appended(bytes: &[u8]) -> Option<usize> {
    const BEGINNING: &[u8] = b"HTTP/1.1 400 Bad Request\r\n";
    let at = bytes.windows(BEGINNING.len()).rposition(|window| window == BEGINNING)?;
    Refusal::of(&bytes[at..]).map(|_| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_librarys_own_words_are_taken_for_them() {
        let bare = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: x\r\n\r\n";
        assert_eq!(Refusal::of(bare), Some(Refusal::Malformed));
        for other in [
            &b"HTTP/1.1 400 Bad Request\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 1\r\n\r\na",
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 4",
            b"",
        ] {
            assert_eq!(Refusal::of(other), None);
        }
        let both = [b"HTTP/1.1 400 Bad Request\r\nx-request-id: 1\r\n\r\n{}", &bare[..]].concat();
        assert_eq!(appended(&both), Some(both.len() - bare.len()));
        assert_eq!(appended(bare), Some(0));
        assert_eq!(appended(b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }

    #[test]
    fn an_answer_is_a_whole_problem() {
        let answer = Refusal::Slow.answer(None);
        let text = std::str::from_utf8(&answer).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["code"], "request-timeout");
        assert!(head.contains(&format!("x-request-id: {}", body["request_id"].as_str().expect("an id"))), "{head}");
        assert!(body.get("instance").is_none(), "nobody knows what was asked for");
    }
}
