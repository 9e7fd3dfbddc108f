//! The way of a request through the front door, from top to bottom.

use std::{borrow::Cow, rc::Rc, sync::Arc, time::Duration};

use actix_web::{
    Error, HttpMessage as _, HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{ConnectionType, Method, StatusCode, Uri, header},
};

use super::{
    cache::{self, Cache},
    checks,
    compression::Compression,
    deadline::{self, Deadline},
    dns::Lookups,
    explain::RouteSummary,
    identity,
    issuers::Issuer,
    limiter::Limiter,
    limits::{Decision, Limits},
    mirror,
    outgoing::Outgoing,
    policies::{Cors, add_security_headers},
    pool::Pool,
    problems::UPSTREAM_TIMEOUT,
    proxy,
    request_body::RequestBody,
    rewrite,
    route::{Destination, Route},
    split::Comer,
    table::{Found, Table},
    trailers, upgrade,
    upstream::Upstream,
};
use crate::{
    kernel::Clock,
    modules::gateway::domain::path::canonical,
    platform::{
        http::{
            Problem, RequestContext, RouteLabel, Wire,
            address::is_trusted,
            api_keys::ApiKeys,
            problem::{MALFORMED_REQUEST, METHOD_NOT_ALLOWED, NO_ROUTE, RATE_LIMITED},
        },
        siblings::SiblingSigner,
        tokens::TokenVerifier,
    },
};

/// What every worker shares.
pub(super) struct Shared {
    pub(super) table: Table,
    pub(super) upstreams: Vec<Arc<Upstream>>,
    pub(super) issuers: Vec<Arc<Issuer>>,
    /// The routes, for operators.
    pub(super) summaries: Vec<RouteSummary>,
    pub(super) limiter: Arc<Limiter>,
    pub(super) cache: Arc<Cache>,
    pub(super) verifier: Arc<TokenVerifier>,
    pub(super) api_keys: Arc<ApiKeys>,
    /// Tells roles in other processes that a request comes from here.
    pub(super) signer: Option<SiblingSigner>,
    pub(super) trusted_proxies: Vec<ipnet::IpNet>,
    pub(super) cors: Option<Cors>,
    pub(super) security_headers: bool,
    /// `http` or `https`: what the listener speaks.
    pub(super) scheme: &'static str,
    pub(super) compression: Option<Compression>,
    pub(super) clock: Arc<dyn Clock>,
    /// For targets by name, where there are any.
    pub(super) lookups: Option<Arc<Lookups>>,
}

/// What is known on the way and needed for the answer, whoever gives it.
#[derive(Default)]
struct Passage {
    route: Option<Arc<Route>>,
    limit: Option<(Arc<Limits>, Decision)>,
    response_headers: Vec<(header::HeaderName, header::HeaderValue)>,
    /// Makes the client known to a split.
    cookie: Option<header::HeaderValue>,
    /// The answer is one to a preflight for this method.
    preflight: Option<header::HeaderValue>,
    /// The request asks for another protocol: what follows it is no request.
    upgrade: bool,
}

/// Who answers.
enum Way {
    /// A role in this process, or the application itself.
    Inner(Option<Duration>),
    /// An upstream, or the gateway, has answered.
    Answered(HttpResponse<BoxBody>),
}

/// Takes a request through the front door, and its answer back.
pub(super) async fn serve<S, B>(
    shared: Arc<Shared>,
    pool: Rc<Pool>,
    inner: Rc<S>,
    mut request: ServiceRequest,
) -> Result<ServiceResponse<BoxBody>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let client = checks::Client::of(&request, &shared.trusted_proxies, shared.scheme);
    let origin = shared.cors.as_ref().and_then(|cors| cors.allowed(request.headers().get(header::ORIGIN)?));
    let mut passage = Passage::default();
    let wanted = shared
        .compression
        .as_ref()
        .map(|compression| (compression.wanted(request.method(), request.headers()), compression));
    let way = pass(&shared, &pool, &mut request, &client, &mut passage).await;
    let wanted = wanted.filter(|_| passage.is_compressible());
    let compress = |response| match wanted {
        None => response,
        Some((wanted, compression)) => compression.apply(response, wanted),
    };
    let preflight = passage.preflight.take().map(|method| (request.headers().clone(), method));
    let upgrade = passage.upgrade;
    let finish = |headers: &mut header::HeaderMap| passage.finish(&shared, headers, origin, preflight, client.scheme);
    match way {
        Ok(Way::Inner(time)) => {
            let answer = match time {
                None => Ok(inner.call(request).await),
                Some(time) => tokio::time::timeout(time, inner.call(request)).await,
            };
            let error = match answer {
                Ok(Ok(response)) => {
                    let mut response = response.map_into_boxed_body();
                    finish(response.headers_mut());
                    let (request, response) = response.into_parts();
                    return Ok(ServiceResponse::new(request, compress(response)));
                }
                Ok(Err(error)) => error,
                Err(_) => Problem::new(&UPSTREAM_TIMEOUT, "the answer took too long").into(),
            };
            // The request went with the call that failed or was given up, so that the answer goes as an error.
            let mut response = error.error_response();
            finish(response.headers_mut());
            Err(InternalError::from_response(error, response).into())
        }
        Ok(Way::Answered(mut response)) => {
            finish(response.headers_mut());
            if upgrade && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            Ok(request.into_response(compress(response)))
        }
        Err(problem) => {
            let mut response = problem.error_response();
            // After these it is not certain where the next request would begin.
            if upgrade || matches!(problem.kind().status, 400 | 408 | 413 | 431) {
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            finish(response.headers_mut());
            Ok(request.into_response(response))
        }
    }
}

impl Passage {
    /// Whether answers may be compressed: not those of `auth`, whose secrets must not meet what the client chose in one
    /// compressed text, nor where the route says so.
    fn is_compressible(&self) -> bool {
        let Some(route) = &self.route else { return true };
        !route.shaping.uncompressed && &*route.name != crate::kernel::Role::Auth.as_str()
    }

    /// What every answer gets, whoever gives it.
    fn finish(
        self,
        shared: &Shared,
        headers: &mut header::HeaderMap,
        origin: Option<header::HeaderValue>,
        preflight: Option<(header::HeaderMap, header::HeaderValue)>,
        scheme: &str,
    ) {
        if let Some((limits, decision)) = &self.limit {
            headers.insert(RATE_LIMIT_POLICY, limits.header.clone());
            if let Some(state) = limits.state_header(decision) {
                headers.insert(RATE_LIMIT, state);
            }
        }
        if let Some(cors) = &shared.cors {
            cors.apply(headers, origin.clone());
            if let (Some((asked, method)), Some(_)) = (preflight, origin) {
                Cors::preflight(&asked, headers, method);
            }
        }
        if shared.security_headers {
            add_security_headers(headers, scheme == "https");
        }
        if let Some(cookie) = self.cookie {
            headers.append(header::SET_COOKIE, cookie);
        }
        if let Some(notices) = self.route.as_ref().and_then(|route| route.shaping.notices.as_ref()) {
            notices.add(headers);
        }
        // The route's own rules come last: they are the operator's word.
        if let Some(route) = &self.route {
            for name in &route.response_headers.remove {
                headers.remove(name);
            }
            for (name, value) in self.response_headers {
                headers.insert(name, value);
            }
        }
    }
}

const RATE_LIMIT_POLICY: header::HeaderName = header::HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: header::HeaderName = header::HeaderName::from_static("ratelimit");

/// The list. Each step may answer; nothing below it is done then.
async fn pass(
    shared: &Shared,
    pool: &Rc<Pool>,
    request: &mut ServiceRequest,
    client: &checks::Client,
    passage: &mut Passage,
) -> Result<Way, Problem> {
    // The head as a whole: its size, and no protocol that nobody expects, whatever the path.
    checks::head_size(request)?;
    let asked = upgrade::asked(request)?;
    passage.upgrade = asked.is_some();

    // The target and the authority of the request, before anything is decided by them.
    let uri = request.uri().clone();
    let host = checks::host(request, &uri)?;

    // Canonical path: one spelling is matched, authorised and forwarded, so that no two steps can disagree.
    let path = canonical(uri.path()).map_err(|fault| Problem::new(&MALFORMED_REQUEST, fault.to_string()))?;

    // A browser's question beforehand is answered here, for the route it is about; it carries no credentials to judge.
    if let Some(method) = shared.cors.as_ref().and_then(|_| checks::preflight_method(request)) {
        return preflight(shared, request, &method, &path, &host, passage);
    }

    // Route: everything below depends on it.
    let (route, parameters) = match shared.table.find(request.method(), &path, &host, request.headers()) {
        Found::Route(route, parameters) => (route.clone(), parameters),
        Found::WrongMethod(allowed) => return Err(wrong_method(&allowed)),
        Found::Nothing => return Err(Problem::new(&NO_ROUTE, "no route matches this host and path")),
    };
    // Where the application's router is next, its own pattern says more.
    if let Destination::Upstream(_) = route.to {
        request.extensions_mut().insert(RouteLabel(route.pattern.clone()));
    }
    let forwarded = route.forwarded_path(&path, &parameters).map(Cow::Owned).unwrap_or(path.clone());
    let headers = route.response_headers.set.iter();
    passage.response_headers =
        headers.filter_map(|(name, text)| Some((name.clone(), text.value(&parameters)?))).collect();
    passage.route = Some(route.clone());

    if let Some(asked) = &asked {
        asked.must_be_allowed(&route)?;
    }

    // Whose tokens are taken here, for all steps below.
    if let Some(issuers) = &route.issuers {
        request.extensions_mut().insert(issuers.clone());
    }

    // Health, metrics, documentation and administration stand outside all that follows.
    if route.to == Destination::Open {
        return inner(request, &uri, &forwarded, None);
    }

    // Limit: before authentication, so that guessing credentials is limited and costs neither cryptography nor questions.
    if let Some(limits) = &route.limit {
        let decision = identity::count(shared, limits, request, client).await;
        limits.note(&decision);
        passage.limit = Some((limits.clone(), decision));
        if !decision.passes() {
            let problem = Problem::new(&RATE_LIMITED, "the limit of requests is reached");
            return Err(problem.retry_after(decision.retry_after()));
        }
    }

    // Authentication, then authorization: who it is, and whether the route is for them.
    let principal = identity::authenticate(&route, shared, request).await?;
    identity::authorize(&route, principal.as_deref())?;

    // The message itself: no body that is announced as too long. Now that it is wanted, the client may be told so.
    let mut length = checks::announced_length(request, route.body_limit)?;
    let wire = if length != Some(0) || asked.is_some() || shared.scheme == "https" {
        request.conn_data::<Rc<Wire>>().cloned()
    } else {
        None
    };
    if let Some(wire) = &wire {
        wire.go_on();
    }

    // Nor one that does not keep to the route's schema, once it is known who sends it.
    if let Some(schema) = route.shaping.schema.as_ref().filter(|_| length != Some(0) || has_content(request.method())) {
        length = Some(Box::pin(schema.check(request, route.body_limit)).await?);
    }

    // Until when it is waited for: as the route says, or sooner when whoever asked does not wait so long.
    let deadline = Deadline::of(request, route.timeout, client.is_trusted, &*shared.clock)?;

    let number = match (route.to, &route.shaping.split) {
        (Destination::Upstream(number), None) => number,
        (Destination::Upstream(_), Some(split)) => {
            let (ip, is_https) = (client.ip, client.scheme == "https");
            let drawn = shared.upstreams.first().map_or(0, |upstream| upstream.draw());
            let comer = Comer { request, principal: principal.as_deref(), ip, is_https, drawn };
            let (number, cookie) = split.choose(&comer);
            passage.cookie = cookie;
            number
        }
        // A role in this process: the request goes on through the router, as if it had been sent there.
        (Destination::Open | Destination::Local(_), _) => {
            rewrite::request_headers(request, &route, &parameters);
            if route.own_body_limit && length.is_none() {
                rewrite::bound_body(request, route.body_limit);
            }
            return inner(request, &uri, &forwarded, deadline.left());
        }
    };

    // In-flight cap, breaker, balancer, upstream: one call, tried again where that is safe.
    let upstream = &shared.upstreams[number];
    if upstream.targets.iter().any(|target| target.endpoint.h2.is_some()) {
        trailers::refuse_grpc(request)?;
    }
    let context = client.context(request);
    let has_body = length != Some(0);
    let mirrored = route.shaping.mirror.as_ref().filter(|mirror| asked.is_none() && mirror.takes(upstream.chance()));
    let copy = mirrored.filter(|_| has_body).map(|mirror| mirror::Copy::new(mirror.body_limit));
    let (body, progress) = if has_body {
        let (body, progress) = RequestBody::client(request.take_payload(), length, route.body_limit, copy.clone());
        (Some(body), Some(progress))
    } else {
        (None, None)
    };
    // With its port, as the client wrote it.
    let asked_host = || request.headers().get(header::HOST)?.to_str().ok();
    let outgoing = Outgoing {
        head: request.head(),
        route: &route,
        parameters: &parameters,
        path: &forwarded,
        context: &context,
        principal: principal.as_deref(),
        scheme: client.scheme,
        host: client.forwarded_host.as_deref().or_else(asked_host).unwrap_or(&host),
        keeps_api_key: upstream.is_role,
        deadline: deadline.at.map(|at| deadline::written(at, &*shared.clock)),
        assertion: shared.signer.as_ref().filter(|_| upstream.is_role).map(|signer| (signer, upstream.name.as_str())),
        body: body.into(),
        progress,
        upgrade: asked.as_ref(),
        wire: wire.as_ref(),
        client_certificate: checks::client_certificate(request, wire.as_ref()),
    };
    let hash_key = upstream.hash_on.as_ref().and_then(|on| identity::hash_key(on, &outgoing));

    // Cache: what is kept of earlier answers, after it is certain that the request may have one. A
    // changed protocol is no answer to keep.
    if let (Some(rules), None) = (&route.cache, &outgoing.upgrade) {
        let (cache, principal) = (&shared.cache, principal.as_ref());
        let outgoing = &outgoing;
        let call = cache::Call {
            cache,
            rules,
            route: &route,
            upstream,
            pool,
            outgoing,
            principal,
            hash_key,
            deadline: deadline.at,
            path: &path,
        };
        // In a box: who has no cache does not carry it along.
        let answer = Box::pin(cache::answer(&call)).await;
        if let Some(mirrored) = mirrored {
            mirror::send(&shared.upstreams[mirrored.upstream], pool, outgoing, copy.as_deref());
        }
        return answer.map(Way::Answered);
    }
    let answer = proxy::call(upstream, pool, &outgoing, hash_key, deadline.at).await;
    if let Some(mirrored) = mirrored {
        mirror::send(&shared.upstreams[mirrored.upstream], pool, &outgoing, copy.as_deref());
    }
    answer.map(Way::Answered)
}

/// Methods whose requests are nothing without a body, so that an empty one is looked at too.
fn has_content(method: &Method) -> bool {
    matches!(method.as_str(), "POST" | "PUT" | "PATCH" | "QUERY")
}

fn inner(request: &mut ServiceRequest, uri: &Uri, path: &str, time: Option<Duration>) -> Result<Way, Problem> {
    rewrite::path(request, uri, path)?;
    Ok(Way::Inner(time))
}

fn preflight(
    shared: &Shared,
    request: &ServiceRequest,
    method: &Method,
    path: &str,
    host: &str,
    passage: &mut Passage,
) -> Result<Way, Problem> {
    let methods = match shared.table.find(method, path, host, request.headers()) {
        Found::Nothing => return Err(Problem::new(&NO_ROUTE, "no route matches this host and path")),
        Found::Route(..) => method.as_str().to_owned(),
        Found::WrongMethod(allowed) => names(&allowed),
    };
    passage.preflight = header::HeaderValue::from_str(&methods).ok();
    Ok(Way::Answered(HttpResponse::new(StatusCode::NO_CONTENT)))
}

fn wrong_method(allowed: &[Method]) -> Problem {
    let names = names(allowed);
    let problem = Problem::new(&METHOD_NOT_ALLOWED, format!("this path takes {names}"));
    match header::HeaderValue::from_str(&names) {
        Ok(value) => problem.with_header(header::ALLOW, value),
        Err(_) => problem,
    }
}

fn names(methods: &[Method]) -> String {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// Whether the peer is a proxy that is believed.
pub(super) fn is_trusted_peer(request: &ServiceRequest, trusted: &[ipnet::IpNet]) -> bool {
    request.peer_addr().is_some_and(|peer| is_trusted(peer.ip(), trusted))
}

/// The context that the front middleware left, or one made of the connection alone.
pub(super) fn context_of(request: &ServiceRequest) -> Option<RequestContext> {
    request.extensions().get::<RequestContext>().cloned()
}
