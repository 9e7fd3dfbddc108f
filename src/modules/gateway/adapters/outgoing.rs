//! The request that a target gets: serialised anew from what the client sent, cleaned, with what only the gateway knows.

use std::{borrow::Cow, cell::RefCell, rc::Rc};

use actix_web::{
    dev::RequestHead,
    http::{Version, header as front},
};
use http::{
    HeaderName, HeaderValue, Method, Request, Uri, header,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::{
    connection::{HttpOneRequest, Prepared},
    hygiene::{Declared, is_hop_by_hop, is_reserved},
    request_body::{Progress, RequestBody},
    route::{PathRule, Route},
    target::Target,
    upgrade::Asked,
};
use crate::{
    kernel::Principal,
    platform::{
        http::{RequestContext, Wire, address::address_text},
        siblings::{ASSERTION, SiblingSigner},
    },
};

/// How this gateway calls itself in `Via` (RFC 9110 §7.6.3).
const VIA: &str = "1.1 vestibule";
const VIA_HTTP2: &str = "2.0 vestibule";

/// All that a request to a target is made of; made into one for each try.
pub(super) struct Outgoing<'a> {
    pub(super) head: &'a RequestHead,
    pub(super) route: &'a Route,
    pub(super) parameters: &'a [&'a str],
    /// The path that is forwarded, canonical.
    pub(super) path: &'a str,
    pub(super) context: &'a RequestContext,
    pub(super) principal: Option<&'a Principal>,
    /// `http` or `https`, as the client sees it.
    pub(super) scheme: &'static str,
    /// The host the client asked for.
    pub(super) host: &'a str,
    /// Whether an API key may go on, because a role of ours judges it.
    pub(super) keeps_api_key: bool,
    /// Until when somebody waits for the answer, as a header says it.
    pub(super) deadline: Option<String>,
    /// Tells a role of ours, by its name, that the request comes from the gateway.
    pub(super) assertion: Option<(&'a SiblingSigner, &'a str)>,
    /// The body, until it was sent.
    pub(super) body: RefCell<Option<RequestBody>>,
    pub(super) progress: Option<Rc<Progress>>,
    /// The protocol that the client asks for, and its connection.
    pub(super) upgrade: Option<&'a Asked>,
    pub(super) wire: Option<&'a Rc<Wire>>,
    /// What the client proved itself with (RFC 9440).
    pub(super) client_certificate: Option<front::HeaderValue>,
}

impl Outgoing<'_> {
    /// Whether there is still all of the body to send, so that another try is possible.
    pub(super) fn is_whole(&self) -> bool {
        self.progress.is_none() || self.body.borrow().is_some()
    }

    /// Whether the request may be sent twice (RFC 9110 §9.2.2), or says that it may.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(self.head.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE" | "QUERY")
            || self.head.headers.contains_key("idempotency-key")
    }

    /// Whether the request changes nothing (RFC 9110 §9.2.1).
    pub(super) fn is_safe(&self) -> bool {
        matches!(self.head.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY")
    }

    /// The request for a target; takes the body.
    pub(super) fn request(&self, target: &Target) -> Option<Prepared> {
        let body = match self.progress {
            Some(_) => self.body.borrow_mut().take()?,
            None => RequestBody::Empty,
        };
        self.request_with(target, body)
    }

    /// The same with another body.
    pub(super) fn request_with(&self, target: &Target, body: RequestBody) -> Option<Prepared> {
        if let Some(h2) = &target.endpoint.h2 {
            return Some(Prepared::Many(Box::new(self.h2_request(target, h2, body)?)));
        }
        let mut head = Vec::with_capacity(768);
        head.extend_from_slice(self.head.method.as_str().as_bytes());
        head.push(b' ');
        self.write_target(target, &mut head)?;
        head.extend_from_slice(b" HTTP/1.1\r\n");
        self.headers(target, &mut |name, value| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        });
        let is_head = self.head.method == actix_web::http::Method::HEAD;
        Some(Prepared::One(HttpOneRequest { head, is_head, may_change: self.upgrade.is_some(), body }))
    }

    /// The request in HTTP/2, which says where it goes in its target, and has no hop-by-hop headers but one
    /// (RFC 9113 §8.2.2).
    fn h2_request(
        &self,
        target: &Target,
        (scheme, authority): &(Scheme, Authority),
        body: RequestBody,
    ) -> Option<Request<RequestBody>> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::from_bytes(self.head.method.as_str().as_bytes()).ok()?;
        *request.version_mut() = http::Version::HTTP_2;
        let mut text = Vec::new();
        self.write_target(target, &mut text)?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(scheme.clone());
        parts.authority = Some(authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(bytes::Bytes::from(text)).ok()?);
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        let headers = request.headers_mut();
        self.headers(target, &mut |name, value| {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        });
        headers.remove(header::HOST);
        if super::trailers::are_taken(self.head) {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        Some(request)
    }

    /// Path and query as the target sees them; nothing when they cannot stand in a request line.
    fn write_target(&self, target: &Target, text: &mut Vec<u8>) -> Option<()> {
        let begin = text.len();
        text.extend_from_slice(target.base_path.as_bytes());
        text.extend_from_slice(self.path.as_bytes());
        if let Some(query) = self.head.uri.query() {
            text.push(b'?');
            text.extend_from_slice(query.as_bytes());
        }
        let written = &text[begin..];
        let is_sound =
            written.first() == Some(&b'/') && written.iter().all(|byte| *byte > b' ' && !matches!(byte, b'#' | 0x7f));
        is_sound.then_some(())
    }

    /// All headers but those about the body. The operator's word stands alone, whoever else has one.
    fn headers(&self, target: &Target, put: &mut dyn FnMut(&str, &[u8])) {
        let set = &self.route.request_headers.set;
        let mut put_else = |name: &str, value: &[u8]| {
            if set.is_empty() || !set.iter().any(|(own, _)| own.as_str() == name) {
                put(name, value);
            }
        };
        put_else("host", target.authority.as_bytes());
        self.copy(&mut put_else);
        self.add(&mut put_else);
        self.assert(&mut put_else);
        for (number, (name, value)) in set.iter().enumerate() {
            let is_last = !set[number + 1..].iter().any(|(later, _)| later == name);
            if let Some(value) = value.value(self.parameters).filter(|_| is_last) {
                put(name.as_str(), value.as_bytes());
            }
        }
    }

    /// What the client said and may say.
    fn copy(&self, put: &mut dyn FnMut(&str, &[u8])) {
        let declared = Declared::read(self.head.headers.get_all(front::CONNECTION).map(front::HeaderValue::as_bytes));
        for (name, value) in &self.head.headers {
            let text = name.as_str();
            let ours = matches!(text, "host" | "content-length" | "expect" | "traceparent" | "tracestate" | "via");
            let secret = text == "x-api-key" && !self.keeps_api_key;
            if ours || secret || is_hop_by_hop(text) || is_reserved(text) || declared.has(text) {
                continue;
            }
            if self.route.request_headers.remove.contains(name) {
                continue;
            }
            put(text, value.as_bytes());
        }
    }

    /// What only the gateway says.
    fn add(&self, put: &mut dyn FnMut(&str, &[u8])) {
        let mut text = |name: &str, text: &str| {
            if is_plain(text.as_bytes()) {
                put(name, text.as_bytes());
            }
        };
        text("x-forwarded-for", &address_text(self.context.client_ip));
        text("x-forwarded-proto", self.scheme);
        if !self.host.is_empty() {
            text("x-forwarded-host", self.host);
        }
        if let PathRule::Strip(length) = self.route.path {
            text("x-forwarded-prefix", self.route.pattern.get(..length).unwrap_or_default());
        }
        text("x-request-id", &self.context.request_id);
        text("traceparent", &self.context.trace.traceparent());
        if let Some(state) = &self.context.trace.state {
            text("tracestate", state);
        }
        text("via", &self.via());
        if let Some(deadline) = &self.deadline {
            text("x-request-deadline", deadline);
        }
        if let Some(principal) = self.principal {
            text("x-user-id", &principal.subject.to_string());
            text("x-user-roles", &principal.roles.join(","));
            text("x-user-scopes", &principal.scopes.join(" "));
            // An address may have letters beyond ASCII.
            let email = principal.email.as_deref().filter(|email| !email.bytes().any(|byte| byte.is_ascii_control()));
            if let Some(email) = email {
                put("x-user-email", email.as_bytes());
            }
        }
        if let Some(certificate) = &self.client_certificate {
            put("client-cert", certificate.as_bytes());
        }
        if let Some(asked) = self.upgrade {
            put("connection", b"upgrade");
            put("upgrade", asked.token().as_bytes());
        }
    }

    /// That it is the gateway who asks, and for whom.
    fn assert(&self, put: &mut dyn FnMut(&str, &[u8])) {
        let Some((signer, role)) = self.assertion else { return };
        // As the role sees it, whatever stands before it in the role's address.
        let target = match self.head.uri.query() {
            Some(query) => Cow::Owned(format!("{}?{query}", self.path)),
            None => Cow::Borrowed(self.path),
        };
        let assertion = signer.sign(role, self.head.method.as_str(), &target, Some(self.context.client_ip));
        if let Some(text) = assertion.filter(|text| is_plain(text.as_bytes())) {
            put(ASSERTION, text.as_bytes());
        }
    }

    /// Our entry after those of the proxies before us.
    fn via(&self) -> Cow<'static, str> {
        let own = if self.head.version == Version::HTTP_2 { VIA_HTTP2 } else { VIA };
        let mut before = self.head.headers.get_all(front::VIA).filter_map(|value| value.to_str().ok()).peekable();
        if before.peek().is_none() {
            return Cow::Borrowed(own);
        }
        Cow::Owned(before.chain([own]).collect::<Vec<_>>().join(", "))
    }
}

/// Whether a text can be a header's value as it is: visible characters, spaces and tabs.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}
