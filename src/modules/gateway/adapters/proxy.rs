//! The call of an upstream: admit, choose, send, judge, try again where that is allowed.

mod hedge;

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody},
    http::{
        StatusCode,
        header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING, UPGRADE},
    },
};
use hyper::body::{Body as _, Incoming};
use tokio::time::{sleep, timeout};

use self::hedge::{Asked, Question};
use super::{
    alarm::Alarm,
    connection::{Answered, Head, Link},
    hygiene::{Declared, is_hop_by_hop},
    outgoing::Outgoing,
    pool::Pool,
    problems::{CIRCUIT_OPEN, NO_HEALTHY_TARGET, OVERLOADED, UPSTREAM_TIMEOUT},
    request_body::{BodyFault, Progress, Waiting},
    response_body::{Exchange, ResponseBody},
    trailers::{self, Trailers},
    upgrade,
    upstream::{Place, Upstream},
};
use crate::platform::{
    http::{
        Problem,
        problem::{BAD_GATEWAY, BODY_TOO_LARGE, MALFORMED_REQUEST, REQUEST_TIMEOUT},
    },
    resilience::Permit,
};

/// Why a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// No connection came to stand.
    Connect,
    /// Nor in time.
    ConnectTimeout,
    /// The connection broke, or spoke no HTTP, before the response head.
    Reset,
    /// The response head, or the taking of the request, took too long.
    Timeout,
    /// The request's own time is over.
    Deadline,
    /// The client's body stalled.
    ClientStalled,
    /// The client's body cannot be passed on.
    Body(BodyFault),
    /// The request cannot be written.
    Unwritable,
}

/// An answer whose head has come.
pub(super) struct Answer {
    pub(super) head: Head,
    /// With HTTP/2, what its body comes from.
    pub(super) incoming: Option<Incoming>,
    pub(super) link: Link,
}

/// Calls an upstream; a problem when there is no answer of its own to give.
pub(super) async fn call(
    upstream: &Arc<Upstream>,
    pool: &Rc<Pool>,
    outgoing: &Outgoing<'_>,
    hash_key: Option<u64>,
    deadline: Option<Instant>,
) -> Result<HttpResponse<BoxBody>, Problem> {
    let metrics = &upstream.metrics;
    let Some(mut place) = upstream.enter() else {
        metrics.rejected.increment(1);
        let problem = Problem::new(&OVERLOADED, format!("{} has as many requests as it may have", upstream.name));
        return Err(problem.retry_after(Duration::from_secs(1)));
    };
    if let Some(retry) = &upstream.retry {
        retry.budget.deposit();
    }
    let mut tried: Vec<usize> = Vec::new();
    let mut last: Option<Fault> = None;
    let mut retries = 0;
    loop {
        // A fault that was retried is the answer when the breaker opens or no other target is left.
        let permit = match upstream.breaker.admit() {
            Ok(permit) => permit,
            Err(open) => {
                metrics.rejected.increment(1);
                if let Some(fault) = last {
                    return Err(problem(upstream, fault));
                }
                let problem = Problem::new(&CIRCUIT_OPEN, format!("{} has failed too often", upstream.name));
                return Err(problem.retry_after(open.retry_after));
            }
        };
        let chosen = upstream.choose(&tried, hash_key);
        // With every target tried once, a retry goes to any that is available.
        let chosen = chosen.or_else(|| if tried.is_empty() { None } else { upstream.choose(&[], hash_key) });
        let Some(number) = chosen else {
            drop(permit);
            metrics.rejected.increment(1);
            if let Some(fault) = last {
                return Err(problem(upstream, fault));
            }
            let problem = Problem::new(&NO_HEALTHY_TARGET, format!("no target of {} is healthy", upstream.name));
            return Err(problem.retry_after(Duration::from_secs(1)));
        };
        place.at(number);
        let question = Question { upstream, pool, outgoing, hash_key, deadline };
        let asked = question.ask(number, permit, place, &tried).await;
        let Asked { number, permit, outcome, took, .. } = asked;
        place = asked.place;
        let wants_retry = match &outcome {
            Ok(answer) => {
                upstream.answered(took);
                judge_answer(upstream, number, permit, answer, took)
            }
            Err(fault) => judge_fault(upstream, number, permit, *fault, outgoing),
        };
        if wants_retry && may_retry(upstream, outgoing, retries) {
            retries += 1;
            tried.push(number);
            last = outcome.err();
            metrics.retried.increment(1);
            Box::pin(pause(upstream, retries, deadline)).await;
            continue;
        }
        return match outcome {
            Ok(answer) if answer.head.status == StatusCode::SWITCHING_PROTOCOLS => {
                upgrade::answer(upstream, answer, outgoing, place)
            }
            Ok(answer) => Ok(respond(upstream, number, pool, answer, outgoing, place, deadline)),
            Err(fault) => Err(problem(upstream, fault)),
        };
    }
}

/// Notes how a target answered; whether the answer is one to try again after.
fn judge_answer(upstream: &Upstream, number: usize, permit: Permit, answer: &Answer, took: Duration) -> bool {
    let status = answer.head.status.as_u16();
    if status >= 500 {
        upstream.metrics.error.increment(1);
    } else {
        upstream.metrics.success.increment(1);
    }
    // A role of ours that answers is well: its 502 to 504 speak of one request's sources or of one overload, and must not
    // close the door to its other callers, as they do not when it runs in this process.
    let failing = !upstream.is_role && matches!(status, 502..=504);
    upstream.judge(number, !failing && !upstream.is_slow(took));
    if failing {
        permit.failed();
        return upstream.retry.as_ref().is_some_and(|retry| retry.on_status.contains(&status));
    }
    permit.succeeded();
    false
}

/// Notes how a try failed; whether the fault is one to try again after.
fn judge_fault(upstream: &Upstream, number: usize, permit: Permit, fault: Fault, outgoing: &Outgoing<'_>) -> bool {
    let metrics = &upstream.metrics;
    match fault {
        Fault::Connect | Fault::ConnectTimeout => metrics.connect.increment(1),
        Fault::Reset => metrics.reset.increment(1),
        Fault::Timeout | Fault::Deadline => {
            metrics.timeout.increment(1);
            upstream.timed_out();
        }
        Fault::ClientStalled | Fault::Body(_) | Fault::Unwritable => {
            // The client's doing says nothing about the target.
            metrics.client.increment(1);
            drop(permit);
            return false;
        }
    }
    tracing::warn!(event = "upstream_failed", upstream = upstream.name, target = upstream.targets[number].url, fault = ?fault);
    upstream.judge(number, false);
    permit.failed();
    let Some(retry) = &upstream.retry else { return false };
    match fault {
        Fault::Connect | Fault::ConnectTimeout => retry.on_connect,
        Fault::Reset => retry.on_reset && outgoing.is_repeatable(),
        _ => false,
    }
}

/// Whether one more try is allowed: it is within the attempts and the budget, and there is a whole request to send.
fn may_retry(upstream: &Upstream, outgoing: &Outgoing<'_>, tries: u32) -> bool {
    let Some(retry) = &upstream.retry else { return false };
    tries < retry.attempts && outgoing.is_whole() && retry.budget.withdraw()
}

/// The pause before a retry: doubled each time, half of it left to chance so that retries do not march in step.
async fn pause(upstream: &Upstream, tries: u32, deadline: Option<Instant>) {
    let Some(retry) = &upstream.retry else { return };
    let full = retry.backoff.saturating_mul(1 << (tries - 1).min(6));
    let pause = full / 2 + full.mul_f64(upstream.chance() / 2.0);
    let left = deadline.map_or(pause, |deadline| deadline.saturating_duration_since(Instant::now()));
    sleep(pause.min(left)).await;
}

/// One try at one target. A kept connection that turns out to be closed does not count as one.
async fn attempt(
    upstream: &Upstream,
    number: usize,
    pool: &Pool,
    outgoing: &Outgoing<'_>,
    mut started: Instant,
    deadline: Option<Instant>,
) -> Result<Answer, Fault> {
    let target = &upstream.targets[number];
    loop {
        let mut link = match pool.take(target.number) {
            Some(link) => link,
            None => match Box::pin(timeout(upstream.connect_timeout, Link::open(&target.place()))).await {
                Ok(Ok(link)) => {
                    pool.lend(target.number, &link);
                    started = Instant::now();
                    link
                }
                Ok(Err(_)) => return Err(Fault::Connect),
                Err(_) => return Err(Fault::ConnectTimeout),
            },
        };
        let request = outgoing.request(target).ok_or(Fault::Unwritable)?;
        let reused = link.reused;
        let returned = Cell::new(false);
        let mut alarm = std::mem::take(&mut link.alarm);
        let outcome = {
            let sending = async {
                match link.send(request).await {
                    Ok(answered) => Ok(answered),
                    Err(fault) => {
                        if let Some(body) = fault.unsent {
                            if outgoing.progress.is_some() {
                                *outgoing.body.borrow_mut() = Some(body);
                            }
                            returned.set(true);
                        }
                        tracing::debug!(event = "exchange_failed", error = %fault.error);
                        Err(Fault::Reset)
                    }
                }
            };
            within(sending, &mut alarm, upstream, outgoing.progress.as_deref(), started, deadline).await
        };
        link.alarm = alarm;
        match outcome {
            Ok(Answered { head, incoming }) if is_sound(&head, outgoing) => {
                return Ok(Answer { head, incoming, link });
            }
            Ok(_) => return Err(Fault::Reset),
            Err(Fault::Reset) => {
                if let Some(fault) = outgoing.progress.as_ref().and_then(|progress| progress.fault.get()) {
                    return Err(Fault::Body(fault));
                }
                // The target closed the connection while it was idle: a fresh one, where nothing can happen twice.
                let nothing_happened = returned.get() || (outgoing.progress.is_none() && outgoing.is_repeatable());
                // A shared connection that still stands was not closed: this request alone was reset, and would be again.
                let was_closed = !link.is_shared() || !link.is_usable();
                if reused && nothing_happened && was_closed {
                    continue;
                }
                return Err(Fault::Reset);
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// Waits for the response head as long as it may take. While the body is being sent each piece has the idle time, from
/// then on the answer has the upstream's time.
async fn within<T>(
    sending: impl Future<Output = Result<T, Fault>>,
    alarm: &mut Alarm,
    upstream: &Upstream,
    progress: Option<&Progress>,
    started: Instant,
    deadline: Option<Instant>,
) -> Result<T, Fault> {
    let due = || {
        let (due, fault) = match progress.map(|progress| (progress.waiting.get(), progress.since.get())) {
            None => (started + upstream.timeout, Fault::Timeout),
            Some((Waiting::Answer, since)) => (since + upstream.timeout, Fault::Timeout),
            Some((Waiting::Target, since)) => (since + upstream.idle_timeout, Fault::Timeout),
            Some((Waiting::Client, since)) => (since + upstream.idle_timeout, Fault::ClientStalled),
        };
        match deadline {
            Some(deadline) if deadline < due => (deadline, Fault::Deadline),
            _ => (due, fault),
        }
    };
    let mut sending = pin!(sending);
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = sending.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        // What is waited for changes as the body moves on.
        let (due, fault) = due();
        alarm.poll(due, cx).map(|()| Err(fault))
    })
    .await
}

/// A head that says its length in two ways, or changes the protocol without being asked, is no answer.
fn is_sound(head: &Head, outgoing: &Outgoing<'_>) -> bool {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let changed_to = head.get(&UPGRADE).map(HeaderValue::as_bytes);
        return changed_to.is_some_and(|to| outgoing.upgrade.is_some_and(|asked| asked.is(to)));
    }
    head.get(&TRANSFER_ENCODING).is_none() || head.get(&CONTENT_LENGTH).is_none()
}

/// The answer for the client.
fn respond(
    upstream: &Upstream,
    number: usize,
    pool: &Rc<Pool>,
    answer: Answer,
    outgoing: &Outgoing<'_>,
    place: Place,
    deadline: Option<Instant>,
) -> HttpResponse<BoxBody> {
    let Answer { head, incoming, link } = answer;
    let status = head.status;
    let announced = head.get(&CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let length = match &incoming {
        None => link.body_length(),
        Some(incoming) => incoming.size_hint().exact(),
    };
    let size = match (outgoing.head.method == actix_web::http::Method::HEAD, announced, length) {
        (true, Some(length), _) | (false, _, Some(length)) => BodySize::Sized(length),
        (true, None, _) => BodySize::None,
        (false, _, None) => BodySize::Stream,
    };
    let exchange = Exchange {
        link,
        pool: pool.clone(),
        target: upstream.targets[number].number,
        place,
        idle_timeout: upstream.idle_timeout,
        // Events may come for as long as there are some.
        deadline: deadline.filter(|_| !is_event_stream(&head)),
    };
    let passes_trailers = size == BodySize::Stream && trailers::are_wanted(outgoing.head, &head);
    let mut body = ResponseBody::new(incoming, size, exchange);
    if body.is_at_end() {
        body.finish();
    }
    let taker = passes_trailers.then(|| {
        let (trailers, taker) = Trailers::of(outgoing.head);
        body.pass_trailers(trailers);
        taker
    });
    let mut response = HttpResponse::with_body(status, BoxBody::new(body));
    if let Some(taker) = taker {
        trailers::announce(&mut response, &head, taker, outgoing.head);
    }
    let declared = Declared::read(head.all(&CONNECTION).map(HeaderValue::as_bytes));
    let headers = response.headers_mut();
    headers.reserve(head.headers.len() + 8);
    for (name, value) in head.headers {
        let text = name.as_str();
        if !is_hop_by_hop(text) && text != "content-length" && text != "x-request-id" && !declared.has(text) {
            headers.append(name, value);
        }
    }
    // A 304 tells the length of what it does not send.
    if let (StatusCode::NOT_MODIFIED, Some(length)) = (status, announced) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

fn is_event_stream(head: &Head) -> bool {
    let content_type = head.get(&CONTENT_TYPE).map(HeaderValue::as_bytes);
    let essence = content_type.and_then(|value| value.split(|byte| *byte == b';').next());
    essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}

fn problem(upstream: &Upstream, fault: Fault) -> Problem {
    let name = &upstream.name;
    match fault {
        Fault::Connect => Problem::new(&BAD_GATEWAY, format!("{name} cannot be reached")),
        Fault::Reset => Problem::new(&BAD_GATEWAY, format!("{name} broke off before it answered")),
        Fault::ConnectTimeout => Problem::new(&UPSTREAM_TIMEOUT, format!("{name} did not take the connection in time")),
        Fault::Timeout | Fault::Deadline => Problem::new(&UPSTREAM_TIMEOUT, format!("{name} did not answer in time")),
        Fault::ClientStalled => Problem::new(&REQUEST_TIMEOUT, "the body stopped coming"),
        Fault::Body(BodyFault::TooLarge) => Problem::new(&BODY_TOO_LARGE, "the body is longer than this route allows"),
        Fault::Body(BodyFault::Broken) => Problem::new(&MALFORMED_REQUEST, "the body broke off"),
        Fault::Unwritable => Problem::new(&MALFORMED_REQUEST, "the request cannot be passed on"),
    }
}
