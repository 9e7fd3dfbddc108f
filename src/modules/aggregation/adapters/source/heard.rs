//! What a source's answer says beside its body: how long it is good, when to come again, what went wrong, where it goes on.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, header};
use serde_json::Value;

use super::super::super::domain::{data::take, freshness::Freshness};

/// The longest problem details that are passed on.
const MAX_PROBLEM: usize = 8 * 1024;

/// How long the answer is good, `now` being when it came.
pub(super) fn freshness(headers: &HeaderMap, now: DateTime<Utc>) -> Freshness {
    let said = list(headers, &header::CACHE_CONTROL);
    let age =
        one(headers, &header::AGE).and_then(|age| age.trim().parse().ok()).map_or(Duration::ZERO, Duration::from_secs);
    let date = one(headers, &header::DATE).and_then(date_of).unwrap_or(now);
    // What cannot be read has expired (RFC 9111 §5.3).
    let expires = one(headers, &header::EXPIRES);
    let expires = expires.map(|text| date_of(text).map_or(Duration::ZERO, |end| until(end, date)));
    Freshness::read(&said.unwrap_or_default(), expires, age)
}

/// When it is worth another try.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = one(headers, &header::RETRY_AFTER)?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
    }
    date_of(text).map(|at| until(at, now))
}

/// Problem details (RFC 9457), when they are no longer than a few.
pub(super) fn problem(headers: &HeaderMap, body: &[u8]) -> Option<Box<Value>> {
    let kind = one(headers, &header::CONTENT_TYPE)?.split(';').next()?.trim();
    if !kind.eq_ignore_ascii_case("application/problem+json") || body.len() > MAX_PROBLEM {
        return None;
    }
    let checked = take(body.to_vec()).ok()?;
    serde_json::from_str(checked.get()).ok().filter(Value::is_object).map(Box::new)
}

/// All lines of a header that is a list.
pub(super) fn list(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A date as HTTP writes it.
fn date_of(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.with_timezone(&Utc))
}

fn until(end: DateTime<Utc>, start: DateTime<Utc>) -> Duration {
    (end - start).to_std().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("value"))).collect()
    }

    fn now() -> DateTime<Utc> {
        date_of("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date")
    }

    #[test]
    fn what_is_said_is_heard() {
        let said = |pairs: &[(&'static str, &str)]| freshness(&headers(pairs), now()).cache_control();
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[("cache-control", "max-age=60"), ("age", "20")]).as_deref(), Some("max-age=40"));
        assert_eq!(said(&[("expires", "Sun, 06 Nov 1994 08:50:37 GMT")]).as_deref(), Some("max-age=60"));
        assert_eq!(said(&[("expires", "0")]).as_deref(), Some("max-age=0"));
        assert_eq!(said(&[("expires", "0"), ("cache-control", "max-age=5")]).as_deref(), Some("max-age=5"));
    }

    #[test]
    fn when_to_come_again_is_a_number_or_a_date() {
        let wait = |text: &str| retry_after(&headers(&[("retry-after", text)]), now());
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!((wait("soon"), wait("-1"), wait("99999999999")), (None, None, None));
    }

    #[test]
    fn problems_are_objects_of_their_type() {
        let told = |kind: &str, body: &str| problem(&headers(&[("content-type", kind)]), body.as_bytes());
        let details = r#"{"title":"no","status":409}"#;
        assert!(told("application/problem+json; charset=utf-8", details).is_some());
        assert!(told("application/json", details).is_none());
        assert!(told("application/problem+json", "[1]").is_none());
        assert!(told("application/problem+json", &format!("{{\"a\":\"{}\"}}", "x".repeat(9_000))).is_none());
    }
}
