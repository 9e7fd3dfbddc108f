//! Compression of answers, as the client wants it: what is worth while, what nobody has compressed already, and never a
//! stream of events. A stream of anything else is flushed whenever nothing more is there to send.

use actix_http::encoding::Encoder;
use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody as _},
    http::{
        Method, StatusCode,
        header::{
            ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
            ContentEncoding, ETAG, HeaderMap, HeaderName, HeaderValue, VARY,
        },
    },
};

use crate::modules::gateway::config::{Coding, CompressionConfig};

/// Media types of text that do not say so by their first half.
const TEXTUAL: [&str; 8] = [
    "application/json",
    "application/javascript",
    "application/xml",
    "application/xhtml+xml",
    "application/graphql",
    "application/wasm",
    "application/x-ndjson",
    "image/svg+xml",
];

/// Compression, compiled.
#[derive(Debug)]
pub(super) struct Compression {
    codings: Vec<Coding>,
    min_size: u64,
    types: Vec<String>,
}

/// What is known of a request before it is answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    coding: Option<Coding>,
    bodiless: bool,
}

impl Compression {
    /// Compiles the setting.
    pub(super) fn compile(config: &CompressionConfig) -> Self {
        Self {
            codings: config.codings.clone(),
            min_size: config.min_size.0,
            types: config.types.iter().map(|name| name.to_ascii_lowercase()).collect(),
        }
    }

    /// What this client wants.
    pub(super) fn wanted(&self, method: &Method, headers: &HeaderMap) -> Wanted {
        let accepted = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
        let accepted: Vec<(&str, f32)> = accepted.flat_map(|value| value.split(',')).map(weighed).collect();
        let weight = |coding: Coding| {
            let named = |wanted: &str| accepted.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            let also = if coding == Coding::Gzip { named("x-gzip") } else { None };
            named(name(coding)).or(also).or_else(|| named("*")).map_or(0.0, |(_, weight)| *weight)
        };
        // Of equals the first is taken: ours is the order.
        let best = self.codings.iter().map(|coding| (*coding, weight(*coding))).filter(|(_, weight)| *weight > 0.0);
        let best = best.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let identity = accepted.iter().find(|(name, _)| name.eq_ignore_ascii_case("identity"));
        let rather_not = identity.is_some_and(|(_, identity)| best.is_none_or(|(_, weight)| weight < *identity));
        Wanted { coding: best.map(|(coding, _)| coding).filter(|_| !rather_not), bodiless: *method == Method::HEAD }
    }

    /// Compresses an answer, if it is one to compress. That it may be is said in `Vary` either way.
    pub(super) fn apply(&self, mut response: HttpResponse<BoxBody>, wanted: Wanted) -> HttpResponse<BoxBody> {
        if !self.is_for(&response) {
            return response;
        }
        add_to_vary(response.headers_mut());
        let Some(coding) = wanted.coding.filter(|_| !wanted.bodiless) else { return response };
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        // Another representation: not the same bytes as the one without coding, nor a part of them.
        headers.remove(ACCEPT_RANGES);
        let strong = headers.get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"));
        if let Some(weak) = strong.and_then(|etag| HeaderValue::from_str(&format!("W/{}", etag.to_str().ok()?)).ok()) {
            headers.insert(ETAG, weak);
        }
        let coding = match coding {
            Coding::Br => ContentEncoding::Brotli,
            Coding::Zstd => ContentEncoding::Zstd,
            Coding::Gzip => ContentEncoding::Gzip,
        };
        response.map_body(|head, body| Encoder::response(coding, head, body).boxed())
    }

    fn is_for(&self, response: &HttpResponse<BoxBody>) -> bool {
        let status = response.status();
        let is_whole =
            !matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let is_long = match response.body().size() {
            BodySize::None => false,
            BodySize::Sized(length) => length >= self.min_size,
            BodySize::Stream => true,
        };
        let headers = response.headers();
        let says = |name: HeaderName, word: &str| {
            headers.get_all(name).filter_map(|value| value.to_str().ok()).any(|value| value.contains(word))
        };
        is_whole
            && !status.is_informational()
            && is_long
            && !headers.contains_key(CONTENT_ENCODING)
            && !says(CACHE_CONTROL, "no-transform")
            && headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|text| self.is_compressible(text))
    }

    fn is_compressible(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        if essence == "text/event-stream" {
            return false;
        }
        essence.starts_with("text/")
            || essence.ends_with("+json")
            || essence.ends_with("+xml")
            || TEXTUAL.contains(&essence.as_str())
            || self.types.contains(&essence)
    }
}

fn name(coding: Coding) -> &'static str {
    match coding {
        Coding::Br => "br",
        Coding::Zstd => "zstd",
        Coding::Gzip => "gzip",
    }
}

/// A coding of `Accept-Encoding`, and how much it is wanted (RFC 9110 §12.4.2).
fn weighed(item: &str) -> (&str, f32) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = parameters.split(';').find_map(|one| one.trim().strip_prefix(['q', 'Q'])?.trim().strip_prefix('='));
    let weight = weight.map_or(Some(1.0), |text| text.trim().parse().ok()).unwrap_or(0.0);
    (name.trim(), weight)
}

fn add_to_vary(headers: &mut HeaderMap) {
    let named = headers.get_all(VARY).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut named = named.map(str::trim);
    if !named.any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding")) {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_weighs_and_of_equals_ours_is_the_order() {
        let compression =
            Compression { codings: vec![Coding::Br, Coding::Zstd, Coding::Gzip], min_size: 0, types: Vec::new() };
        let wanted = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap());
            compression.wanted(&Method::GET, &headers).coding
        };
        assert_eq!(wanted("gzip, deflate, br, zstd"), Some(Coding::Br));
        assert_eq!(wanted("gzip;q=1.0, br;q=0.5"), Some(Coding::Gzip));
        assert_eq!(wanted("br;q=0, *"), Some(Coding::Zstd));
        assert_eq!(wanted("GZIP"), Some(Coding::Gzip));
        assert_eq!(wanted("identity, gzip;q=0.5"), None);
        assert_eq!(wanted("gzip;q=0"), None);
        assert_eq!(wanted("deflate"), None);
        assert_eq!(wanted(""), None);
        assert_eq!(wanted("gzip;q=much"), None);
    }

    #[test]
    fn only_text_is_worth_while() {
        let compression = Compression { codings: Vec::new(), min_size: 0, types: vec!["application/x-own".to_owned()] };
        for yes in ["text/html; charset=utf-8", "application/problem+json", "application/x-own", "Application/JSON"] {
            assert!(compression.is_compressible(yes), "{yes}");
        }
        for no in ["text/event-stream", "image/png", "application/zip", "application/grpc", ""] {
            assert!(!compression.is_compressible(no), "{no}");
        }
    }
}
