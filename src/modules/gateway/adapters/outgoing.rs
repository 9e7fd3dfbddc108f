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
    hygiene::{Declared, is_hop_by_hop, is_reserved, to_back, value_to_back},
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

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const X_USER_EMAIL: HeaderName = HeaderName::from_static("x-user-email");
const X_USER_ROLES: HeaderName = HeaderName::from_static("x-user-roles");
const X_USER_SCOPES: HeaderName = HeaderName::from_static("x-user-scopes");
const X_REQUEST_DEADLINE: HeaderName = HeaderName::from_static("x-request-deadline");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
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
    pub(super) client_certificate: Option<HeaderValue>,
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
    pub(super) fn request(&self, target: &Target) -> Option<Request<RequestBody>> {
        let body = match self.progress {
            Some(_) => self.body.borrow_mut().take()?,
            None => RequestBody::Empty,
        };
        self.request_with(target, body)
    }

    /// The same with another body.
    pub(super) fn request_with(&self, target: &Target, body: RequestBody) -> Option<Request<RequestBody>> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::from_bytes(self.head.method.as_str().as_bytes()).ok()?;
        *request.uri_mut() = self.uri(target)?;
        let headers = request.headers_mut();
        headers.reserve(self.head.headers.len() + 12);
        headers.insert(header::HOST, target.authority.clone());
        self.copy(headers);
        self.add(headers);
        self.assert(headers);
        if let Some(h2) = &target.endpoint.h2 {
            self.speak_h2(&mut request, h2)?;
        }
        Some(request)
    }

    /// HTTP/2 says where a request goes in its target, and has no hop-by-hop headers but one (RFC 9113 §8.2.2).
    fn speak_h2(&self, request: &mut Request<RequestBody>, (scheme, authority): &(Scheme, Authority)) -> Option<()> {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(scheme.clone());
        parts.authority = Some(authority.clone());
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        *request.version_mut() = http::Version::HTTP_2;
        request.headers_mut().remove(header::HOST);
        if super::trailers::are_taken(self.head) {
            request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
        }
        Some(())
    }

    fn uri(&self, target: &Target) -> Option<Uri> {
        let query = self.head.uri.query();
        let mut text =
            String::with_capacity(target.base_path.len() + self.path.len() + query.map_or(0, |query| query.len() + 1));
        text.push_str(&target.base_path);
        text.push_str(self.path);
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        PathAndQuery::from_maybe_shared(bytes::Bytes::from(text)).ok().map(Uri::from)
    }

    /// What the client said and may say.
    fn copy(&self, headers: &mut http::HeaderMap) {
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
            if let Some((name, value)) = to_back(name, value) {
                headers.append(name, value);
            }
        }
    }

    /// What only the gateway says.
    fn add(&self, headers: &mut http::HeaderMap) {
        let text = |text: &str| HeaderValue::from_str(text).ok();
        let mut set = |name: HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        };
        set(
            X_FORWARDED_FOR,
            HeaderValue::from_maybe_shared(bytes::Bytes::from(address_text(self.context.client_ip))).ok(),
        );
        set(X_FORWARDED_PROTO, Some(HeaderValue::from_static(self.scheme)));
        set(X_FORWARDED_HOST, text(self.host).filter(|host| !host.is_empty()));
        if let PathRule::Strip(length) = self.route.path {
            set(X_FORWARDED_PREFIX, self.route.pattern.get(..length).and_then(text));
        }
        set(X_REQUEST_ID, text(&self.context.request_id));
        let traceparent = bytes::Bytes::from(self.context.trace.traceparent());
        set(TRACEPARENT, HeaderValue::from_maybe_shared(traceparent).ok());
        set(TRACESTATE, self.context.trace.state.as_deref().and_then(text));
        set(header::VIA, self.via());
        if let Some(certificate) = &self.client_certificate {
            set(CLIENT_CERT, Some(certificate.clone()));
        }
        set(X_REQUEST_DEADLINE, self.deadline.as_deref().and_then(text));
        if let Some(principal) = self.principal {
            set(X_USER_ID, text(&principal.subject.to_string()));
            let email = principal.email.as_deref();
            set(X_USER_EMAIL, email.and_then(|email| HeaderValue::from_bytes(email.as_bytes()).ok()));
            set(X_USER_ROLES, text(&principal.roles.join(",")));
            set(X_USER_SCOPES, text(&principal.scopes.join(" ")));
        }
        if let Some(asked) = self.upgrade {
            set(header::CONNECTION, Some(HeaderValue::from_static("upgrade")));
            set(header::UPGRADE, value_to_back(asked.token()));
        }
        for (name, value) in &self.route.request_headers.set {
            if let Some((name, value)) =
                value.value(self.parameters).and_then(|value| Some((to_back(name, &value)?.0, value_to_back(&value)?)))
            {
                headers.insert(name, value);
            }
        }
    }

    /// That it is the gateway who asks, and for whom.
    fn assert(&self, headers: &mut http::HeaderMap) {
        let Some((signer, role)) = self.assertion else { return };
        // As the role sees it, whatever stands before it in the role's address.
        let target = match self.head.uri.query() {
            Some(query) => Cow::Owned(format!("{}?{query}", self.path)),
            None => Cow::Borrowed(self.path),
        };
        let assertion = signer.sign(role, self.head.method.as_str(), &target, Some(self.context.client_ip));
        if let Some(value) = assertion.and_then(|text| HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()) {
            headers.insert(HeaderName::from_static(ASSERTION), value);
        }
    }

    /// Our entry after those of the proxies before us.
    fn via(&self) -> Option<HeaderValue> {
        let own = if self.head.version == Version::HTTP_2 { VIA_HTTP2 } else { VIA };
        let mut before = self.head.headers.get_all(front::VIA).filter_map(|value| value.to_str().ok()).peekable();
        if before.peek().is_none() {
            return Some(HeaderValue::from_static(own));
        }
        let chain = before.chain([own]).collect::<Vec<_>>().join(", ");
        HeaderValue::from_str(&chain).ok()
    }
}
