//! Fetching a new answer while the stale one is given: on the same worker thread, whose connections it uses.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    body::{BoxBody, MessageBody as _},
    dev::RequestHead,
    http::Method,
};

use super::{
    Cache, CacheRules, Call,
    fetch::{asking, fetch},
    flights::{Lead, Part},
    serve::{Found, Request, wanted},
    stored::Stored,
    told::Forwarded,
};
use crate::{
    kernel::Principal,
    modules::gateway::adapters::{outgoing::Outgoing, pool::Pool, route::Route, upstream::Upstream},
    platform::http::RequestContext,
};

/// A refresh takes no longer than this, where its route has no time.
const MOST_TIME: Duration = Duration::from_mins(1);

/// A request of the cache's own, made of the one that found the stale answer.
struct Refresh {
    cache: Arc<Cache>,
    rules: Arc<CacheRules>,
    route: Arc<Route>,
    upstream: Arc<Upstream>,
    pool: Rc<Pool>,
    head: RequestHead,
    parameters: Vec<String>,
    forwarded: String,
    path: String,
    context: RequestContext,
    principal: Option<Arc<Principal>>,
    scheme: &'static str,
    host: String,
    keeps_api_key: bool,
    client_certificate: Option<actix_web::http::header::HeaderValue>,
    hash_key: Option<u64>,
    request: Request,
    stored: Option<Arc<Stored>>,
    lead: Lead,
}

/// Begins to fetch a new answer, unless somebody does already.
pub(super) fn begin(call: &Call<'_>, request: &Request, found: &Found) {
    let Part::Lead(lead) = call.cache.flights.take_part(wanted(call, request, found)) else { return };
    let outgoing = call.outgoing;
    let mut request = request.clone();
    request.is_head = false;
    request.asked.partly = false;
    let refresh = Refresh {
        cache: call.cache.clone(),
        rules: call.rules.clone(),
        route: call.route.clone(),
        upstream: call.upstream.clone(),
        pool: call.pool.clone(),
        head: asking(outgoing.head, Some(Method::GET), None),
        parameters: outgoing.parameters.iter().map(|&parameter| parameter.to_owned()).collect(),
        forwarded: outgoing.path.to_owned(),
        path: call.path.to_owned(),
        context: outgoing.context.clone(),
        principal: call.principal.cloned(),
        scheme: outgoing.scheme,
        host: outgoing.host.to_owned(),
        keeps_api_key: outgoing.keeps_api_key,
        client_certificate: outgoing.client_certificate.clone(),
        hash_key: call.hash_key,
        request,
        stored: found.stored.clone(),
        lead,
    };
    actix_web::rt::spawn(refresh.run());
}

impl Refresh {
    async fn run(self) {
        let parameters: Vec<&str> = self.parameters.iter().map(String::as_str).collect();
        let outgoing = Outgoing {
            head: &self.head,
            route: &self.route,
            parameters: &parameters,
            path: &self.forwarded,
            context: &self.context,
            principal: self.principal.as_deref(),
            scheme: self.scheme,
            host: &self.host,
            keeps_api_key: self.keeps_api_key,
            deadline: None,
            body: None.into(),
            progress: None,
            assertion: None,
            upgrade: None,
            wire: None,
            client_certificate: self.client_certificate.clone(),
        };
        let call = Call {
            cache: &self.cache,
            rules: &self.rules,
            route: &self.route,
            upstream: &self.upstream,
            pool: &self.pool,
            outgoing: &outgoing,
            principal: self.principal.as_ref(),
            hash_key: self.hash_key,
            deadline: Some(Instant::now() + self.route.timeout.unwrap_or(MOST_TIME)),
            path: &self.path,
        };
        let fetched = fetch(&call, &self.request, self.stored.as_ref(), Forwarded::Stale, Some(self.lead)).await;
        match fetched {
            Ok(response) => read(response.into_body(), self.cache.longest).await,
            Err(problem) => {
                tracing::warn!(event = "cache_refresh_failed", route = &*self.route.name, reason = %problem);
            }
        }
    }
}

/// Reads a body, which is kept on the way; what is too long to be kept is not read to its end.
async fn read(mut body: BoxBody, longest: usize) {
    let mut length = 0;
    while length <= longest {
        match std::future::poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
            Some(Ok(piece)) => length += piece.len(),
            Some(Err(_)) | None => return,
        }
    }
}
