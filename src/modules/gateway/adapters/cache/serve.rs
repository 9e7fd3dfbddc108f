//! The way of a request through the cache.

use std::{sync::Arc, time::Instant};

use actix_web::{
    HttpResponse,
    body::BoxBody,
    http::{
        StatusCode,
        header::{
            AUTHORIZATION, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE,
            IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE,
        },
    },
};

use super::{
    Call,
    conditions::{self, Part},
    directives::Directives,
    fetch,
    flights::{self, Landing, Lead, Wanted},
    invalidate, key,
    policy::Asked,
    refresh, select,
    stored::{Stored, Use},
    told::{Forwarded, Outcome, Story},
};
use crate::{
    modules::gateway::adapters::{problems::NOT_CACHED, proxy},
    platform::http::Problem,
};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// How often a request waits for others who then go away, before it goes itself.
const MOST_WAITS: u32 = 3;

/// A request, as the cache sees it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) key: Arc<str>,
    pub(super) directives: Directives,
    pub(super) asked: Asked,
    pub(super) is_head: bool,
}

/// What is kept for a request.
pub(super) struct Found {
    pub(super) stored: Option<Arc<Stored>>,
    /// What its selecting headers say, as far as it is known which ones select.
    digest: [u8; 32],
    /// Whether anything is kept of its URL.
    known: bool,
}

/// Answers a request: from what is kept, or from its upstream.
pub(in crate::modules::gateway::adapters) async fn answer(call: &Call<'_>) -> Result<HttpResponse<BoxBody>, Problem> {
    let (outgoing, headers) = (call.outgoing, &call.outgoing.head.headers);
    let key = key::of_request(outgoing.scheme, outgoing.host, call.path, outgoing.head.uri.query());
    let is_head = match outgoing.head.method.as_str() {
        "GET" => false,
        "HEAD" => true,
        "OPTIONS" | "TRACE" | "QUERY" => return pass_on(call, Forwarded::Method).await,
        _ => return invalidate::unsafe_call(call, &key).await,
    };
    let partly = [RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|name| headers.contains_key(name));
    let credentialed = headers.contains_key(AUTHORIZATION)
        || headers.contains_key(X_API_KEY)
        || call.principal.is_some()
        || outgoing.client_certificate.is_some();
    let directives = Directives::of_request(headers);
    let request = Request { key, directives, asked: Asked { credentialed, partly }, is_head };

    // These are between the client and the upstream alone.
    let only_if_cached = request.directives.has("only-if-cached");
    let not_cached = || Problem::new(&NOT_CACHED, "no stored answer fits the request");
    let is_private = outgoing.progress.is_some()
        || request.directives.has("no-store")
        || headers.contains_key(IF_MATCH)
        || headers.contains_key(IF_UNMODIFIED_SINCE);
    if is_private {
        return if only_if_cached { Err(not_cached()) } else { pass_on(call, Forwarded::Bypass).await };
    }

    let found = find_everywhere(call, &request).await;
    let mut why = if found.known { Forwarded::VaryMiss } else { Forwarded::UriMiss };
    if let Some(stored) = &found.stored {
        let now = call.cache.clock.monotonic();
        match stored.judge(now, &request.directives) {
            Use::Fresh => return Ok(hit(call, &request, stored, now, Outcome::Hit, None)),
            Use::Taken => return Ok(hit(call, &request, stored, now, Outcome::Stale, None)),
            Use::WhileRevalidate => {
                refresh::begin(call, &request, &found);
                return Ok(hit(call, &request, stored, now, Outcome::Stale, None));
            }
            Use::Validate if stored.ttl(now) > 0 => why = Forwarded::Request,
            Use::Validate => why = Forwarded::Stale,
        }
    }
    if only_if_cached {
        return Err(not_cached());
    }

    // One call for all who want the same: whoever wants no more than a whole answer that is fresh.
    let is_validating = found.stored.as_ref().is_some_and(|stored| stored.is_validatable());
    let is_whole = is_validating || !partly;
    let is_collapsible = is_whole && !is_head && why != Forwarded::Request && !call.cache.store.passes(&request.key);
    let lead = if is_collapsible {
        match join(call, &request, &found).await {
            Joined::Lead(lead) => Some(lead),
            Joined::Alone => None,
            Joined::Answered(response) => return Ok(response),
        }
    } else {
        None
    };
    fetch::fetch(call, &request, found.stored.as_ref(), why, lead).await
}

/// What is kept for a request here, or at other instances where nothing fresh is kept here.
async fn find_everywhere(call: &Call<'_>, request: &Request) -> Found {
    let found = find(call, request);
    let Some(second) = &call.cache.second else { return found };
    let now = call.cache.clock.monotonic();
    if found.stored.as_ref().is_some_and(|stored| stored.ttl(now) > 0) || call.cache.store.passes(&request.key) {
        return found;
    }
    let moment = call.cache.store.moment();
    let Some(stored) = second.find(call, request).await else { return found };
    let ttl = found.stored.as_ref().map_or(i64::MIN, |own| own.ttl(now));
    if stored.ttl(now) > ttl {
        call.cache.store.put(&request.key, &Arc::new(stored), moment);
    }
    find(call, request)
}

/// What is kept for a request here.
pub(super) fn find(call: &Call<'_>, request: &Request) -> Found {
    let mut found = Found { stored: None, digest: [0; 32], known: false };
    let Some(variants) = call.cache.store.get(&request.key) else { return found };
    let mut last: Option<(&[HeaderName], Option<[u8; 32]>)> = None;
    for stored in variants.iter().filter(|stored| stored.route == call.identity()) {
        let digest = match last {
            Some((names, digest)) if names == stored.names => digest,
            _ => select::digest(&stored.names, call.outgoing),
        };
        last = Some((&stored.names, digest));
        if !found.known {
            found.known = true;
            found.digest = digest.unwrap_or_default();
        }
        let may_share = !request.asked.credentialed || stored.freshness.shareable;
        if digest == Some(stored.digest) && may_share {
            found.stored = Some(stored.clone());
            break;
        }
    }
    found
}

/// What a request is one of many for.
pub(super) fn wanted(call: &Call<'_>, request: &Request, found: &Found) -> Wanted {
    Wanted {
        key: request.key.clone(),
        route: call.identity(),
        digest: found.digest,
        credentialed: request.asked.credentialed,
    }
}

/// How a request takes part in fetching.
enum Joined {
    Lead(Lead),
    Alone,
    Answered(HttpResponse<BoxBody>),
}

/// Fetches for others too, or waits for who does; for a while.
async fn join(call: &Call<'_>, request: &Request, found: &Found) -> Joined {
    let cache = call.cache;
    let wanted = wanted(call, request, found);
    let until = tokio::time::Instant::now() + cache.wait;
    let until = call.deadline.map_or(until, |deadline| until.min(deadline.into()));
    for _ in 0..MOST_WAITS {
        let (landing, lead) = match cache.flights.take_part(wanted.clone()) {
            // It may have landed since the look.
            flights::Part::Lead(lead) => (Landing::Stored, Some(lead)),
            flights::Part::Wait(flight) => {
                let landing = tokio::time::timeout_at(until, flights::landed(flight)).await;
                (landing.unwrap_or(Landing::Flying), None)
            }
        };
        let now = cache.clock.monotonic();
        match landing {
            Landing::Stored => {
                if let Some(stored) = find(call, request).stored
                    && stored.judge(now, &request.directives) == Use::Fresh
                {
                    let outcome = if lead.is_some() { Outcome::Hit } else { Outcome::Collapsed };
                    if let Some(lead) = lead {
                        lead.land(Landing::Stored);
                    }
                    return Joined::Answered(hit(call, request, &stored, now, outcome, None));
                }
                return lead.map_or(Joined::Alone, Joined::Lead);
            }
            Landing::Failed => {
                let standing_in = found.stored.as_ref().filter(|stored| stored.stands_in(now, &request.directives));
                return standing_in.map_or(Joined::Alone, |stored| {
                    Joined::Answered(hit(call, request, stored, now, Outcome::Stale, Some("upstream-failed")))
                });
            }
            Landing::Flying | Landing::Passed => return Joined::Alone,
            Landing::Abandoned => {}
        }
    }
    Joined::Alone
}

/// Answers from what is kept, without the upstream.
pub(super) fn hit(
    call: &Call<'_>,
    request: &Request,
    stored: &Stored,
    now: Instant,
    outcome: Outcome,
    detail: Option<&'static str>,
) -> HttpResponse<BoxBody> {
    call.cache.meters.count(outcome);
    let mut response = give(call.outgoing.head.headers(), request, stored, now);
    let collapsed = outcome == Outcome::Collapsed;
    let story = Story { ttl: Some(stored.ttl(now)), collapsed, detail, key: Some(&request.key), ..Story::default() };
    story.tell(response.headers_mut());
    response
}

/// The answer as the request's conditions and range want it.
pub(super) fn give(headers: &HeaderMap, request: &Request, stored: &Stored, now: Instant) -> HttpResponse<BoxBody> {
    if !request.asked.partly {
        return stored.answer(now);
    }
    if conditions::has_it(headers, stored) {
        return stored.not_modified(now);
    }
    // A range counts for GET alone (RFC 9110 §14.2).
    let part = if request.is_head { Part::Whole } else { conditions::part(headers, stored) };
    let length = stored.body.len();
    let (status, range, body) = match part {
        Part::Whole => return stored.answer(now),
        Part::Bytes(range) => {
            let text = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            (StatusCode::PARTIAL_CONTENT, text, BoxBody::new(stored.body.slice(range)))
        }
        Part::Outside => (StatusCode::RANGE_NOT_SATISFIABLE, format!("bytes */{length}"), BoxBody::new(())),
    };
    let mut response = HttpResponse::with_body(status, body);
    *response.headers_mut() = stored.answer(now).headers().clone();
    if let Ok(range) = HeaderValue::try_from(range) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

/// Calls the upstream as if there were no cache.
async fn pass_on(call: &Call<'_>, why: Forwarded) -> Result<HttpResponse<BoxBody>, Problem> {
    call.cache.meters.count(Outcome::Bypass);
    let mut response = proxy::call(call.upstream, call.pool, call.outgoing, call.hash_key, call.deadline).await?;
    Story { forwarded: Some(why), ..Story::default() }.tell(response.headers_mut());
    Ok(response)
}
