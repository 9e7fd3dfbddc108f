//! What is known of a request from its first moment: its id, its trace (W3C Trace Context), its client.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::kernel::Random;

tokio::task_local! {
    /// The request that the running task serves; log lines take their ids from here.
    pub static CURRENT: RequestContext;
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The identity of one request. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Taken from `X-Request-Id` when it is sane, else made.
    pub request_id: std::sync::Arc<str>,
    /// Where the request stands in its trace.
    pub trace: TraceContext,
    /// The client's address: the peer, or what a trusted proxy says.
    pub client_ip: IpAddr,
}

/// The pattern of the route that a request took, for logs and metrics; in the request's extensions. Never the raw path.
#[derive(Debug, Clone)]
pub struct RouteLabel(pub std::sync::Arc<str>);

/// W3C Trace Context: the trace continued from the caller, and our own span in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes, never all zero.
    pub trace_id: u128,
    /// Our span: the parent of what we call. Never zero.
    pub span_id: u64,
    /// The `sampled` flag.
    pub sampled: bool,
    /// `tracestate`, passed on as it came.
    pub state: Option<String>,
}

impl TraceContext {
    /// Continues the trace of the request's headers, or begins one.
    pub fn from_headers(headers: &HeaderMap, random: &dyn Random) -> Self {
        let mut bytes = [0; 24];
        random.fill(&mut bytes);
        let (fresh_trace, fresh_span) = bytes.split_at(16);
        let span_id = u64::from_be_bytes(fresh_span.try_into().unwrap_or([1; 8])).max(1);
        let parent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(parse_traceparent);
        if let Some((trace_id, sampled)) = parent {
            let state = headers.get(TRACESTATE).and_then(|value| value.to_str().ok()).map(str::to_owned);
            Self { trace_id, span_id, sampled, state }
        } else {
            let trace_id = u128::from_be_bytes(fresh_trace.try_into().unwrap_or([1; 16])).max(1);
            Self { trace_id, span_id, sampled: false, state: None }
        }
    }

    /// The `traceparent` to send on.
    pub fn traceparent(&self) -> String {
        let mut text = Vec::with_capacity(55);
        text.extend_from_slice(b"00-");
        push_hex(&mut text, &self.trace_id.to_be_bytes());
        text.push(b'-');
        push_hex(&mut text, &self.span_id.to_be_bytes());
        text.extend_from_slice(if self.sampled { b"-01" } else { b"-00" });
        String::from_utf8(text).unwrap_or_default()
    }
}

/// Appends bytes as hexadecimal digits, in lower case.
pub fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let begin = text.len();
    text.resize(begin + 2 * bytes.len(), 0);
    for (pair, byte) in text[begin..].chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`; later versions may be longer.
fn parse_traceparent(text: &str) -> Option<(u128, bool)> {
    let lower_hex =
        |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let well_formed = lower_hex(version, 2) && lower_hex(trace, 32) && lower_hex(parent, 16) && lower_hex(flags, 2);
    if !well_formed || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((trace_id, flags & 1 == 1))
}

/// Whether a client's `X-Request-Id` may stand in logs and headers: 1 to 64 of `[A-Za-z0-9._-]`.
pub fn is_sane_request_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_strictly() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(parse_traceparent(good), Some((0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, true)));
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(parse_traceparent(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_trace_is_told_on_as_it_was_read() {
        let trace = TraceContext { trace_id: 0x4bf9_2f35, span_id: 0xf0_67aa, sampled: true, state: None };
        assert_eq!(trace.traceparent(), "00-0000000000000000000000004bf92f35-0000000000f067aa-01");
        assert_eq!(parse_traceparent(&trace.traceparent()), Some((0x4bf9_2f35, true)));
    }

    #[test]
    fn a_request_id_is_taken_only_when_it_is_sane() {
        assert!(is_sane_request_id("a-B_9.z"));
        for wrong in ["", "a b", "ü", "a\"b", &"x".repeat(65)] {
            assert!(!is_sane_request_id(wrong), "{wrong}");
        }
    }
}
