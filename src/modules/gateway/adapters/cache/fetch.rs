//! Asking the upstream: for an answer, or whether the one that is kept is still right; and keeping what it says.

use std::{sync::Arc, time::Instant};

use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody as _},
    dev::RequestHead,
    http::{
        Method, StatusCode,
        header::{
            AGE, DATE, ETAG, HeaderMap, HeaderName, HttpDate, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
            LAST_MODIFIED, RANGE, TE, TRANSFER_ENCODING, TryIntoHeaderValue as _,
        },
    },
};
use bytes::Bytes;

use super::{
    Cache, Call,
    collect::{Collected, Keep},
    flights::{Landing, Lead},
    policy::{self, Received},
    select,
    serve::{Request, give, hit},
    store::Moment,
    stored::Stored,
    told::{Forwarded, Outcome, Story},
};
use crate::{
    modules::gateway::adapters::{outgoing::Outgoing, proxy},
    platform::http::Problem,
};

/// Asks the upstream, and answers with what it says or, where it fails, with what is kept. Who leads tells the others.
pub(super) async fn fetch(
    call: &Call<'_>,
    request: &Request,
    stored: Option<&Arc<Stored>>,
    why: Forwarded,
    lead: Option<Lead>,
) -> Result<HttpResponse<BoxBody>, Problem> {
    let cache = call.cache;
    let validating = stored.filter(|stored| stored.is_validatable());
    let moment = cache.store.moment();
    let began = cache.clock.monotonic();
    let outcome = match validating {
        None => proxy::call(call.upstream, call.pool, call.outgoing, call.hash_key, call.deadline).await,
        Some(stored) => {
            let head = asking(call.outgoing.head, None, Some(stored));
            let outgoing = with_head(call.outgoing, &head);
            proxy::call(call.upstream, call.pool, &outgoing, call.hash_key, call.deadline).await
        }
    };
    let now = cache.clock.monotonic();
    let failure = match &outcome {
        Ok(response) if matches!(response.status().as_u16(), 500 | 502 | 503 | 504) => Some(response.status().as_u16()),
        Err(problem) if problem.kind().status >= 500 => Some(problem.kind().status),
        _ => None,
    };
    if let (Some(_), Some(stored)) = (failure, stored.filter(|stored| stored.stands_in(now, &request.directives))) {
        land(lead, Landing::Failed);
        return Ok(hit(call, request, stored, now, Outcome::Stale, Some("upstream-failed")));
    }
    let response = match outcome {
        Ok(response) => response,
        Err(problem) => {
            cache.meters.count(Outcome::Miss);
            land(lead, if failure.is_some() { Landing::Failed } else { Landing::Abandoned });
            return Err(problem);
        }
    };
    let fetched = Fetched {
        moment,
        received: Received { at: cache.clock.now(), after: now.saturating_duration_since(began) },
        now,
        why,
        lead,
    };
    match validating {
        Some(stored) if response.status() == StatusCode::NOT_MODIFIED => {
            Ok(confirmed(call, request, stored, response.headers(), fetched))
        }
        _ => Ok(keep(call, request, response, fetched)),
    }
}

/// How an answer was come by.
struct Fetched {
    moment: Moment,
    received: Received,
    now: Instant,
    why: Forwarded,
    lead: Option<Lead>,
}

fn land(lead: Option<Lead>, landing: Landing) {
    if let Some(lead) = lead {
        lead.land(landing);
    }
}

/// The request for the whole answer, under the condition that it is not the one that is kept.
pub(super) fn asking(head: &RequestHead, method: Option<Method>, stored: Option<&Stored>) -> RequestHead {
    let mut head = head.clone();
    if let Some(method) = method {
        head.method = method;
    }
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE, TE] {
        head.headers.remove(name);
    }
    for (validator, condition) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
        if let Some(value) = stored.and_then(|stored| stored.headers.get(validator)) {
            head.headers.insert(condition, value.clone());
        }
    }
    head
}

/// The same request without a body and with another head.
pub(super) fn with_head<'a>(outgoing: &Outgoing<'a>, head: &'a RequestHead) -> Outgoing<'a> {
    let (client_certificate, deadline) = (outgoing.client_certificate.clone(), outgoing.deadline.clone());
    Outgoing { head, body: None.into(), progress: None, client_certificate, deadline, ..*outgoing }
}

/// What is kept is still right: it is brought up to date, and given.
fn confirmed(
    call: &Call<'_>,
    request: &Request,
    stored: &Arc<Stored>,
    told: &HeaderMap,
    fetched: Fetched,
) -> HttpResponse<BoxBody> {
    let cache = call.cache;
    let mut headers = stored.updated(told);
    if !told.contains_key(DATE) {
        set_date(&mut headers, &fetched.received);
    }
    let asked = policy::Asked { partly: false, ..request.asked };
    let verdict = policy::judge(call.rules, asked, stored.status, &headers, fetched.received);
    let selection = select::names(&headers).and_then(|names| Some((select::digest(&names, call.outgoing)?, names)));
    let renewed = verdict.zip(selection).map(|(verdict, (digest, names))| {
        strip(&mut headers, &verdict.omitted);
        Arc::new(Stored {
            names,
            digest,
            headers: headers.clone(),
            freshness: verdict.freshness,
            age_then: verdict.age,
            since: fetched.now,
            ..Stored::clone(stored)
        })
    });
    let is_kept = renewed.as_ref().is_some_and(|renewed| cache.keep(&request.key, renewed, fetched.moment));
    land(fetched.lead, if is_kept { Landing::Stored } else { Landing::Passed });
    cache.meters.count(Outcome::Revalidated);
    let given = renewed.unwrap_or_else(|| Arc::new(Stored { headers, ..Stored::clone(stored) }));
    let mut response = give(call.outgoing.head.headers(), request, &given, fetched.now);
    let story = Story {
        forwarded: Some(fetched.why),
        upstream_status: Some(304),
        stored: is_kept,
        ttl: Some(given.ttl(fetched.now)),
        key: Some(&request.key),
        ..Story::default()
    };
    story.tell(response.headers_mut());
    response
}

/// A new answer: given, and kept beside that where it may be.
fn keep(
    call: &Call<'_>,
    request: &Request,
    mut response: HttpResponse<BoxBody>,
    fetched: Fetched,
) -> HttpResponse<BoxBody> {
    let cache = call.cache;
    cache.meters.count(Outcome::Miss);
    let headers = response.headers();
    let is_short = match response.body().size() {
        BodySize::Sized(length) => length <= cache.longest as u64,
        BodySize::None | BodySize::Stream => true,
    };
    // With trailers to follow, the body comes with its chunks around it.
    let may_keep = is_short && !request.is_head && !headers.contains_key(TRANSFER_ENCODING);
    let verdict =
        may_keep.then(|| policy::judge(call.rules, request.asked, response.status(), headers, fetched.received));
    let selection = verdict.flatten().and_then(|verdict| {
        let names = select::names(headers)?;
        Some((verdict, select::digest(&names, call.outgoing)?, names))
    });
    let mut story = Story { forwarded: Some(fetched.why), key: Some(&request.key), ..Story::default() };
    let Some((verdict, digest, names)) = selection else {
        // Nobody need wait for an answer of this URL, until one is for keeping.
        if !request.is_head && !request.asked.partly {
            cache.store.pass(&request.key);
        }
        land(fetched.lead, Landing::Passed);
        story.tell(response.headers_mut());
        return response;
    };
    let mut kept = headers.clone();
    if !kept.contains_key(DATE) {
        set_date(&mut kept, &fetched.received);
    }
    strip(&mut kept, &verdict.omitted);
    let filling = Filling {
        cache: cache.clone(),
        key: request.key.clone(),
        stored: Stored {
            route: call.identity(),
            names,
            digest,
            status: response.status(),
            headers: kept,
            body: Bytes::new(),
            freshness: verdict.freshness,
            age_then: verdict.age,
            since: fetched.now,
        },
        moment: fetched.moment,
        lead: fetched.lead,
    };
    story.stored = true;
    story.ttl = Some(filling.stored.ttl(fetched.now));
    story.tell(response.headers_mut());
    let (longest, room) = (cache.longest, cache.room.clone());
    response.map_body(|_, body| BoxBody::new(Collected::new(body, longest, room, Box::new(filling))))
}

/// A date for answers that came without one (RFC 9110 §6.6.1).
fn set_date(headers: &mut HeaderMap, received: &Received) {
    if let Ok(date) = HttpDate::from(std::time::SystemTime::from(received.at)).try_into_value() {
        headers.insert(DATE, date);
    }
}

/// What is not kept with an answer: its age, which is counted on, and what is of one exchange alone.
fn strip(headers: &mut HeaderMap, omitted: &[HeaderName]) {
    headers.remove(AGE);
    headers.remove("proxy-authentication-info");
    for name in omitted {
        headers.remove(name);
    }
}

/// An answer whose body is on its way.
struct Filling {
    cache: Arc<Cache>,
    key: Arc<str>,
    stored: Stored,
    moment: Moment,
    lead: Option<Lead>,
}

impl Keep for Filling {
    fn whole(self: Box<Self>, body: Bytes) {
        let Self { cache, key, stored, moment, lead } = *self;
        let stored = Arc::new(Stored { body, ..stored });
        let is_kept = cache.keep(&key, &stored, moment);
        land(lead, if is_kept { Landing::Stored } else { Landing::Passed });
    }

    fn too_long(self: Box<Self>) {
        self.cache.store.pass(&self.key);
        land(self.lead, Landing::Passed);
    }
}

impl Cache {
    /// Keeps an answer, unless it was invalidated since it was asked for.
    fn keep(self: &Arc<Self>, key: &Arc<str>, stored: &Arc<Stored>, asked: Moment) -> bool {
        let is_kept = self.store.put(key, stored, asked);
        if is_kept && self.second.is_some() {
            let (cache, key, stored) = (self.clone(), key.clone(), stored.clone());
            actix_web::rt::spawn(async move {
                let Some(second) = &cache.second else { return };
                // It may have been invalidated in the meantime.
                if cache.store.is_outdated(&key, asked) {
                    return;
                }
                second.keep(&key, &stored).await;
                if cache.store.is_outdated(&key, asked) {
                    second.forget(&key).await;
                }
            });
        }
        is_kept
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_kept_answer_is_asked_for_under_its_own_condition_only() {
        let mut head = RequestHead::default();
        for (name, value) in [(IF_NONE_MATCH, "\"theirs\""), (RANGE, "bytes=0-1"), (AGE, "1")] {
            head.headers.insert(name, HeaderValue::from_static(value));
        }
        let asked = asking(&head, Some(Method::GET), None);
        assert!(!asked.headers.contains_key(IF_NONE_MATCH) && !asked.headers.contains_key(RANGE));
        assert!(asked.headers.contains_key(AGE));
    }
}
