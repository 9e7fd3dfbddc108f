//! What an answer says of itself: whether it is complete, how long it may be kept, whether the client has it already.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, VARY},
};
use aws_lc_rs::digest;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::super::super::domain::{freshness::Freshness, vary::Vary};

/// `X-Aggregation-Complete`
pub(crate) const COMPLETE: HeaderName = HeaderName::from_static("x-aggregation-complete");

/// An answer of JSON and what is known of it.
pub(crate) struct Honest<'a> {
    /// Whether every part is there.
    pub(crate) complete: bool,
    /// How long it may be kept.
    pub(crate) freshness: Freshness,
    /// What it depends on.
    pub(crate) vary: &'a Vary,
    /// Tells it from others; `None`: it is not worth telling.
    pub(crate) tag: Option<String>,
}

impl Honest<'_> {
    /// The answer, or 304 when the client names its tag.
    pub(crate) fn answer(&self, request: &HttpRequest, body: Vec<u8>) -> HttpResponse {
        let known = self.tag.as_deref().is_some_and(|tag| is_known(request, tag));
        let mut answer = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        answer.insert_header((COMPLETE, if self.complete { "true" } else { "false" }));
        let said =
            [(CACHE_CONTROL, self.freshness.cache_control()), (ETAG, self.tag.clone()), (VARY, self.vary.value())];
        for (name, value) in said {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                answer.append_header((name, value));
            }
        }
        if known {
            return answer.finish();
        }
        answer.content_type("application/json").body(body)
    }
}

/// A strong tag: the same bytes, the same tag.
pub(crate) fn strong(body: &[u8]) -> String {
    format!("\"{}\"", hash(&[body]))
}

/// A weak tag of what these parts say, for a body that also tells how long things took.
pub(super) fn weak(parts: &[&[u8]]) -> String {
    format!("W/\"{}\"", hash(parts))
}

fn hash(parts: &[&[u8]]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    BASE64_URL_SAFE_NO_PAD.encode(&context.finish().as_ref()[..16])
}

/// Weak comparison (RFC 9110 §13.1.2).
fn is_known(request: &HttpRequest, tag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let sent = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let mut sent = sent.flat_map(|line| line.split(',')).map(str::trim);
    sent.any(|sent| sent == "*" || opaque(sent) == opaque(tag))
}
