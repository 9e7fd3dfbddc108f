//! Whether an answer may be kept, and for how long it is fresh. `http-cache-semantics` decides, of a head that is put into
//! the words it reads rightly; around it stands what it does not know: statuses with explicit freshness, targeted fields,
//! `must-understand`, `Age` and `Date` that lie, and our own stricter choices.

use std::time::Duration;

use actix_web::http::{
    StatusCode,
    header::{
        AGE, AUTHORIZATION, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HttpDate, LAST_MODIFIED, PRAGMA, SET_COOKIE,
    },
};
use chrono::{DateTime, Utc};
use http_cache_semantics::{CacheOptions, CachePolicy};

use super::directives::{Directives, delta_seconds};

/// What a route keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::modules::gateway::adapters) struct CacheRules {
    /// Tells the routes apart, and their configurations.
    pub(in crate::modules::gateway::adapters) identity: [u8; 16],
    pub(in crate::modules::gateway::adapters) ttl: Option<Duration>,
    pub(in crate::modules::gateway::adapters) stale_while_revalidate: Duration,
    pub(in crate::modules::gateway::adapters) stale_if_error: Duration,
}

/// How long an answer may be used, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Freshness {
    /// From when its server made it.
    pub(super) lifetime: Duration,
    /// It must be validated before each use.
    pub(super) always_validate: bool,
    /// It must not be used stale, whatever anybody allows.
    pub(super) must_revalidate: bool,
    /// It may be used stale while a new one is fetched, for so long.
    pub(super) while_revalidate: Duration,
    /// It may be used stale while its server fails, for so long.
    pub(super) if_error: Duration,
    /// Requests with credentials may share it (RFC 9111 §3.5).
    pub(super) shareable: bool,
}

/// What was asked, as far as keeping the answer depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// With `Authorization`, `X-Api-Key`, or by somebody who is known.
    pub(super) credentialed: bool,
    /// For a part, or under a condition.
    pub(super) partly: bool,
}

/// When the answer's head came, and how long after the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    pub(super) at: DateTime<Utc>,
    pub(super) after: Duration,
}

/// A verdict on an answer that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) freshness: Freshness,
    /// How old the answer was when it came.
    pub(super) age: Duration,
    /// Fields that are not kept with it.
    pub(super) omitted: Vec<HeaderName>,
}

/// The most that is guessed from `Last-Modified`.
const MOST_GUESSED: Duration = Duration::from_hours(24);

/// Judges an answer; `None`: it must not be kept, or keeping it is of no use.
pub(super) fn judge(
    rules: &CacheRules,
    asked: Asked,
    status: StatusCode,
    headers: &HeaderMap,
    received: Received,
) -> Option<Verdict> {
    let said = Directives::of_response(headers);
    let code = status.as_u16();
    if code < 200 || matches!(code, 206 | 304) || (asked.partly && code != 200) || headers.contains_key(SET_COOKIE) {
        return None;
    }
    if said.has("must-understand") && !is_understood(code) {
        return None;
    }
    if (said.has("no-store") && !said.has("must-understand")) || said.has_whole("private") {
        return None;
    }
    let shareable = said.has("public") || said.has("s-maxage") || said.has("must-revalidate");
    let pragma = !said.targeted && said.is_empty() && says(headers, &PRAGMA, "no-cache");
    let always_validate = said.has_whole("no-cache") || pragma;
    let must_revalidate = said.has("must-revalidate") || said.has("proxy-revalidate");
    let lifetime = lifetime(rules, asked, code, &said, headers, received)?;

    // What the answer says of its use when stale counts; where it says nothing, the route does, unless `s-maxage` asks for
    // validation (RFC 9111 §5.2.2.10).
    let stale_use = |name: &str, of_route: Duration| match said.seconds(name) {
        _ if must_revalidate || always_validate => Duration::ZERO,
        Some(own) => Duration::from_secs(own),
        None if said.has("s-maxage") => Duration::ZERO,
        None => of_route,
    };
    let while_revalidate = if lifetime.is_zero() { Duration::ZERO } else { rules.stale_while_revalidate };
    let freshness = Freshness {
        lifetime,
        always_validate,
        must_revalidate: must_revalidate || always_validate || said.has("s-maxage"),
        while_revalidate: stale_use("stale-while-revalidate", while_revalidate),
        if_error: stale_use("stale-if-error", rules.stale_if_error),
        shareable,
    };
    let (age, sound) = age(headers, received);
    // An age that cannot be read may be any; the answer counts as stale.
    let freshness = if sound { freshness } else { Freshness { lifetime: Duration::ZERO, ..freshness } };
    let is_validatable = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    let stale_uses = freshness.while_revalidate + freshness.if_error;
    let is_usable = !always_validate && (age < freshness.lifetime || !stale_uses.is_zero());
    if !is_validatable && !is_usable {
        return None;
    }
    let omitted = said.fields("no-cache").chain(said.fields("private")).collect();
    Some(Verdict { freshness, age, omitted })
}

/// How long the answer is fresh; `None`: it must not be kept.
fn lifetime(
    rules: &CacheRules,
    asked: Asked,
    code: u16,
    said: &Directives,
    headers: &HeaderMap,
    received: Received,
) -> Option<Duration> {
    let expires = if said.targeted { None } else { headers.get(EXPIRES) };
    let explicit = said.seconds("s-maxage").or_else(|| said.seconds("max-age"));
    let is_explicit = explicit.is_some() || expires.is_some();
    // The operator's time in place of a guess.
    let says_nothing = said.is_empty() && !is_explicit && !says(headers, &PRAGMA, "no-cache");
    if let (true, 200, Some(time), false) = (says_nothing, code, rules.ttl, asked.credentialed) {
        return Some(time);
    }

    let mut control = Vec::new();
    for name in ["public", "must-revalidate"] {
        if said.has(name) {
            control.push(name.to_owned());
        }
    }
    match (said.seconds("s-maxage"), said.seconds("max-age")) {
        (Some(seconds), _) => control.push(format!("s-maxage={seconds}")),
        (None, Some(seconds)) => control.push(format!("max-age={seconds}")),
        (None, None) => {}
    }
    // A status whose freshness is said, or that is called public, is as storable as a 200 (RFC 9111 §3, §4.2.2).
    let code = if is_explicit || said.has("public") { 200 } else { code };
    let mut response = http::Response::builder().status(code).header("cache-control", control.join(", "));
    let date = date(headers, &DATE).unwrap_or(received.at.into());
    response = response.header("date", HttpDate::from(date).to_string());
    if let Some(expires) = expires {
        // A date that is none is past.
        let one = headers.get_all(EXPIRES).count() == 1;
        let expires = expires.to_str().ok().filter(|_| one).and_then(|text| text.parse::<HttpDate>().ok());
        response = response.header("expires", expires.map_or("0".to_owned(), |date| date.to_string()));
    }
    if let (false, Some(modified)) = (is_explicit, self::date(headers, &LAST_MODIFIED)) {
        response = response.header("last-modified", HttpDate::from(modified).to_string());
    }
    let mut request = http::Request::builder().method("GET").uri("/");
    if asked.credentialed {
        request = request.header(AUTHORIZATION.as_str(), "-");
    }
    let (request, response) = (request.body(()).ok()?, response.body(()).ok()?);
    let now = received.at.into();
    let policy = CachePolicy::new_options(&request, &response, now, CacheOptions::default());
    if !policy.is_storable() {
        return None;
    }
    let time = policy.time_to_live(now);
    Some(if is_explicit { time } else { time.min(MOST_GUESSED) })
}

/// The answer's age when it came (RFC 9111 §4.2.3), and whether its `Age` can be believed.
fn age(headers: &HeaderMap, received: Received) -> (Duration, bool) {
    let mut ages = headers.get_all(AGE);
    let said = ages.next().map(|value| value.to_str().ok().and_then(|text| delta_seconds(text.trim())));
    let sound = ages.next().is_none() && said != Some(None);
    let said = Duration::from_secs(said.flatten().unwrap_or(0));
    let date = date(headers, &DATE).map_or(received.at, DateTime::<Utc>::from);
    let apparent = (received.at - date).to_std().unwrap_or_default();
    (apparent.max(said + received.after), sound)
}

/// A header's date, in any of the three forms (RFC 9110 §5.6.7).
pub(super) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<std::time::SystemTime> {
    headers.get(name)?.to_str().ok()?.parse::<HttpDate>().ok().map(Into::into)
}

/// Whether one of the members of a list header is this word.
pub(super) fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|member| member.trim().eq_ignore_ascii_case(word))
}

/// Final statuses whose meaning for a cache is known here (RFC 9110 §15).
fn is_understood(code: u16) -> bool {
    matches!(code, 200..=205 | 300..=303 | 305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}
