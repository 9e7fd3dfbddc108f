//! The outermost middleware of every role: gives a request its id and trace, writes the body of problems, and leaves one
//! log line and the request metrics when the answer has left, or was given up.

use std::{
    cell::Cell,
    future::{Future, Ready, ready},
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use actix_web::{
    Error, HttpMessage as _, HttpResponse,
    body::{BodySize, BoxBody, EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::InternalError,
    http::{
        ConnectionType, Method, StatusCode, Version,
        header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue},
    },
    web::Bytes,
};
use ipnet::IpNet;
use pin_project_lite::pin_project;

use super::{
    Problem, RequestContext, TraceContext,
    address::{address_text, client_address, is_trusted},
    context::{CURRENT, RouteLabel, is_sane_request_id},
    front_metrics::RequestMetrics,
    problem::{PROBLEM_JSON, general},
    wire::Wire,
};
use crate::{
    kernel::{Clock, ErrorKind, Random, ids::new_uuid},
    platform::siblings::{ASSERTION, Asserted, SiblingVerifier},
};

/// What roles ask each other is found beneath.
const INTERNAL: &str = "/internal/";
/// The route label of requests that no route took.
const UNMATCHED: &str = "unmatched";
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whom the front believes what they say of a request's client.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Peers at these addresses.
    Proxies(Vec<IpNet>),
    /// Processes of the same installation, which show that they are.
    Siblings(Arc<SiblingVerifier>),
}

/// What the front needs to know.
#[derive(Clone)]
pub struct Front {
    parts: Rc<FrontParts>,
}

struct FrontParts {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    trust: Trust,
    draining: Arc<AtomicBool>,
    sample: u32,
    /// Good answers since the last one that left a line.
    successes: Cell<u32>,
    metrics: RequestMetrics,
}

impl Front {
    /// The front of one worker. Once `draining` is set every answer is the last on its connection. Of `sample` good answers
    /// one leaves its line in the log; errors, and answers that broke off, always do.
    pub fn new(
        service: &'static str,
        trust: Trust,
        draining: Arc<AtomicBool>,
        sample: u32,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let metrics = RequestMetrics::new(service);
        Self {
            parts: Rc::new(FrontParts {
                clock,
                random,
                trust,
                draining,
                sample: sample.max(1),
                successes: Cell::new(0),
                metrics,
            }),
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Front
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Watched<EitherBody<B, BoxBody>>>;
    type Error = Error;
    type Transform = FrontService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(FrontService { inner, parts: self.parts.clone() }))
    }
}

/// [`Front`] around a service.
pub struct FrontService<S> {
    inner: S,
    parts: Rc<FrontParts>,
}

impl<S, B> Service<ServiceRequest> for FrontService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Watched<EitherBody<B, BoxBody>>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let asserted = self.parts.asserted(&request);
        let context = self.parts.context(&request, asserted);
        request.extensions_mut().insert(context.clone());
        if let Some(asserted) = asserted {
            request.extensions_mut().insert(asserted);
        }
        let wire = request.conn_data::<Rc<Wire>>().cloned();
        if let Some(wire) = &wire {
            wire.begun();
        }
        let visit = Visit {
            parts: self.parts.clone(),
            context: context.clone(),
            started: self.parts.clock.monotonic(),
            method: request.method().clone(),
            path: request.path().to_owned(),
            prefix: self.parts.prefix(&request, asserted),
            request_bytes: announced_length(&request),
            answer: None,
            response_bytes: 0,
            complete: false,
            wire,
        };
        self.parts.metrics.active.increment(1.0);
        let answer = self.inner.call(request);
        Box::pin(CURRENT.scope(context, async move {
            let mut visit = visit;
            let response = match answer.await {
                Ok(response) => response,
                Err(error) => return Err(written_error(error, &mut visit)),
            };
            let label = response.request().extensions().get::<RouteLabel>().map(|label| label.0.clone());
            let route = label.or_else(|| response.request().match_pattern().map(Arc::from));
            let mut response = written(response, &visit);
            if let Ok(id) = HeaderValue::from_str(&visit.context.request_id) {
                response.headers_mut().insert(X_REQUEST_ID, id);
            }
            if visit.parts.draining.load(Ordering::Relaxed) {
                response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            }
            visit.answer = Some((response.status(), route.unwrap_or_else(|| Arc::from(UNMATCHED))));
            // HTTP/1.0 knows no chunks: a body of unknown length ends with the connection.
            if response.request().version() == Version::HTTP_10 && response.response().body().size() == BodySize::Stream
            {
                let head = response.response_mut().head_mut();
                head.no_chunking(true);
                head.set_connection_type(ConnectionType::Close);
            }
            visit.complete = matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0));
            Ok(response.map_body(|_, body| Watched { body, visit }))
        }))
    }
}

impl FrontParts {
    /// Whether it is this good answer's turn to leave a line.
    fn is_sampled(&self) -> bool {
        let turn = self.successes.get() + 1 >= self.sample;
        self.successes.set(if turn { 0 } else { self.successes.get() + 1 });
        turn
    }

    /// What a process of the same installation asserts of the request.
    fn asserted(&self, request: &ServiceRequest) -> Option<Asserted> {
        let Trust::Siblings(verifier) = &self.trust else { return None };
        let assertion = request.headers().get(ASSERTION)?.to_str().ok()?;
        let target = request.uri().path_and_query()?;
        verifier.verify(assertion, request.method().as_str(), target.as_str())
    }

    /// What a trusted proxy took off the path (`X-Forwarded-Prefix`), so that a problem's `instance` is the client's path
    /// wherever the role runs.
    fn prefix(&self, request: &ServiceRequest, asserted: Option<Asserted>) -> String {
        let is_trusted = match &self.trust {
            Trust::Proxies(proxies) => request.peer_addr().is_some_and(|peer| is_trusted(peer.ip(), proxies)),
            Trust::Siblings(_) => asserted.is_some(),
        };
        if !is_trusted {
            return String::new();
        }
        let sent = request.headers().get(X_FORWARDED_PREFIX).and_then(|prefix| prefix.to_str().ok());
        let is_path =
            |prefix: &&str| prefix.starts_with('/') && prefix.len() <= 256 && !prefix.contains(['?', '#', ',', ' ']);
        sent.filter(is_path).unwrap_or_default().trim_end_matches('/').to_owned()
    }

    fn context(&self, request: &ServiceRequest, asserted: Option<Asserted>) -> RequestContext {
        let sent =
            request.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_sane_request_id(id));
        let request_id = match sent {
            Some(id) => Arc::from(id),
            None => Arc::from(new_uuid(&*self.clock, &*self.random).as_hyphenated().encode_lower(&mut [0; 36]) as &str),
        };
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
        RequestContext {
            request_id,
            trace: TraceContext::from_headers(request.headers(), &*self.random),
            client_ip: match &self.trust {
                Trust::Proxies(proxies) => client_address(peer, request.headers(), proxies),
                Trust::Siblings(_) => asserted.and_then(|asserted| asserted.client).unwrap_or(peer.to_canonical()),
            },
        }
    }
}

/// The answer, with the body of its problem when it is one.
fn written<B>(response: ServiceResponse<B>, visit: &Visit) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let problem = response.response().extensions().get::<Problem>().cloned().or_else(|| unnamed_problem(&response));
    let Some(problem) = problem else { return response.map_into_left_body() };
    let body = problem.body(&format!("{}{}", visit.prefix, visit.path), &visit.context.request_id);
    let (request, response) = response.into_parts();
    ServiceResponse::new(request, with_problem(response, body)).map_into_right_body()
}

/// The response with this problem as its body; all else stays, the end of the connection too.
fn with_problem<B>(response: HttpResponse<B>, body: Vec<u8>) -> HttpResponse {
    let mut answer = response.set_body(BoxBody::new(body));
    let headers = answer.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    // The rest of the request may still be under way: the next one could not be told from it.
    if matches!(answer.status().as_u16(), 408 | 413) {
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    answer
}

/// An error that came without its request, as the whole answer that it stands for.
fn written_error(error: Error, visit: &mut Visit) -> Error {
    let mut response = error.error_response();
    let problem = response.extensions().get::<Problem>().cloned();
    if let Some(problem) = problem {
        let body = problem.body(&visit.path, &visit.context.request_id);
        response = with_problem(response, body);
    }
    if let Ok(id) = HeaderValue::from_str(&visit.context.request_id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    if visit.parts.draining.load(Ordering::Relaxed) {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    visit.answer = Some((response.status(), Arc::from(UNMATCHED)));
    visit.complete = true;
    InternalError::from_response(error, response).into()
}

/// Errors that a library answered with become problems too; answers that a role or an upstream wrote are left alone, and
/// so are errors of ours that speak another protocol's JSON.
fn unnamed_problem<B>(response: &ServiceResponse<B>) -> Option<Problem> {
    let error = response.response().error()?;
    if response.headers().get(CONTENT_TYPE).is_some_and(|content_type| content_type == "application/json") {
        return None;
    }
    let kind = match response.status() {
        StatusCode::BAD_REQUEST => ErrorKind::Malformed,
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorKind::Invalid,
        status if status.is_client_error() => ErrorKind::Malformed,
        _ => ErrorKind::Internal,
    };
    if kind == ErrorKind::Internal {
        tracing::error!(event = "internal_error", error = %error);
        return Some(Problem::new(general(kind), "a fault of the server; it is logged under the request id"));
    }
    Some(Problem::new(general(kind), error.to_string()))
}

fn announced_length(request: &ServiceRequest) -> u64 {
    request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

/// One request from its head to the end of its answer. Dropping it is the end, however that came.
struct Visit {
    parts: Rc<FrontParts>,
    context: RequestContext,
    started: Instant,
    method: Method,
    path: String,
    /// What a proxy took off the path.
    prefix: String,
    request_bytes: u64,
    answer: Option<(StatusCode, Arc<str>)>,
    response_bytes: u64,
    complete: bool,
    wire: Option<Rc<Wire>>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let duration = self.parts.clock.monotonic().saturating_duration_since(self.started);
        self.parts.metrics.active.decrement(1.0);
        if let Some(wire) = &self.wire {
            wire.served();
        }
        // 499: the client went away before there was an answer; the field's usual name for it.
        let (status, route) = match self.answer.take() {
            Some((status, route)) => (status.as_u16(), route),
            None => (499, Arc::from(UNMATCHED)),
        };
        self.parts.metrics.record(&self.method, &route, status, duration, self.request_bytes, self.response_bytes);
        // Processes of the same installation ask each other several times a second; nobody wants to read that.
        if self.path.starts_with(INTERNAL) && status < 400 {
            return;
        }
        if status < 400 && self.complete && !self.parts.is_sampled() {
            return;
        }
        CURRENT.sync_scope(self.context.clone(), || {
            tracing::info!(
                event = "request",
                method = self.method.as_str(),
                path = &*self.path,
                route = &*route,
                status,
                duration_ms = duration.as_secs_f64() * 1_000.0,
                request_bytes = self.request_bytes,
                response_bytes = self.response_bytes,
                client_ip = &*address_text(self.context.client_ip),
                complete = self.complete,
            );
        });
    }
}

pin_project! {
    /// A response body whose end is noted.
    pub struct Watched<B> {
        #[pin]
        body: B,
        visit: Visit,
    }
}

impl<B: MessageBody> MessageBody for Watched<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        let next = this.body.poll_next(context);
        match &next {
            Poll::Ready(Some(Ok(chunk))) => this.visit.response_bytes += chunk.len() as u64,
            Poll::Ready(None) => this.visit.complete = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        next
    }
}
