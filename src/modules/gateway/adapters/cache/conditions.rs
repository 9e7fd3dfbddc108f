//! Conditional and partial requests, answered from what is kept (RFC 9110 §13, §14).

use std::ops::Range;

use actix_web::http::header::{ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE};

use super::{policy::date, stored::Stored};

/// Whether the request's condition says that it has this answer already.
pub(super) fn has_it(request: &HeaderMap, stored: &Stored) -> bool {
    if !stored.status.is_success() {
        return false;
    }
    // `If-None-Match` makes `If-Modified-Since` count for nothing (RFC 9110 §13.1.3).
    if request.contains_key(IF_NONE_MATCH) {
        let Some(own) = stored.headers.get(ETAG).and_then(|value| value.to_str().ok()) else { return false };
        let lines = request.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
        return lines.flat_map(tags).any(|tag| tag == "*" || opaque(tag) == opaque(own));
    }
    let Some(since) = date(request, &IF_MODIFIED_SINCE) else { return false };
    let modified =
        date(&stored.headers, &LAST_MODIFIED).or_else(|| date(&stored.headers, &actix_web::http::header::DATE));
    modified.is_some_and(|modified| modified <= since)
}

/// The tags of a list; a comma inside the quotes is part of the tag.
fn tags(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let parts = line.split(move |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    });
    parts.map(str::trim).filter(|tag| !tag.is_empty())
}

/// Without the mark of weakness: for `If-None-Match` weak tags match (RFC 9110 §8.8.3.2).
fn opaque(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/")
}

/// What of an answer a request wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// These bytes.
    Bytes(Range<usize>),
    /// Bytes that it does not have.
    Outside,
}

/// What of an answer the request wants: several ranges, and what is no range, are the whole (RFC 9110 §14.2).
pub(super) fn part(request: &HeaderMap, stored: &Stored) -> Part {
    let Some(range) = request.get(RANGE).and_then(|value| value.to_str().ok()) else { return Part::Whole };
    if stored.status != actix_web::http::StatusCode::OK || !in_range_of(request, stored) {
        return Part::Whole;
    }
    let length = stored.body.len();
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Part::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<usize>().unwrap_or(usize::MAX))
    };
    match (from.is_empty(), number(from), to.is_empty(), number(to)) {
        // The last bytes.
        (true, _, false, Some(0)) => Part::Outside,
        (true, _, false, Some(last)) if length > 0 => Part::Bytes(length.saturating_sub(last)..length),
        (false, Some(from), true, _) if from < length => Part::Bytes(from..length),
        (false, Some(from), false, Some(to)) if from <= to && from < length => {
            Part::Bytes(from..to.saturating_add(1).min(length))
        }
        (true, _, false, Some(_)) | (false, Some(_), true, _) => Part::Outside,
        (false, Some(from), false, Some(to)) if from <= to => Part::Outside,
        _ => Part::Whole,
    }
}

/// Whether `If-Range` names this very answer (RFC 9110 §13.1.5).
fn in_range_of(request: &HeaderMap, stored: &Stored) -> bool {
    let Some(condition) = request.get(IF_RANGE).and_then(|value| value.to_str().ok()) else {
        return !request.contains_key(IF_RANGE);
    };
    if condition.starts_with('"') {
        return stored.headers.get(ETAG).is_some_and(|tag| tag.as_bytes() == condition.as_bytes());
    }
    // A weak tag never matches; a date only exactly.
    stored.headers.get(LAST_MODIFIED).is_some_and(|modified| modified.as_bytes() == condition.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use actix_web::http::{StatusCode, header::HeaderName};
    use bytes::Bytes;

    use super::*;
    use crate::modules::gateway::adapters::cache::policy::Freshness;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        headers
    }

    fn stored(lines: &[(&'static str, &'static str)]) -> Stored {
        let freshness = Freshness {
            lifetime: Duration::ZERO,
            always_validate: false,
            must_revalidate: false,
            while_revalidate: Duration::ZERO,
            if_error: Duration::ZERO,
            shareable: false,
        };
        Stored {
            route: [0; 16],
            names: Vec::new(),
            digest: [0; 32],
            status: StatusCode::OK,
            headers: headers(lines),
            body: Bytes::from_static(b"0123456789"),
            freshness,
            age_then: Duration::ZERO,
            since: Instant::now(),
        }
    }

    #[test]
    fn tags_match_weakly_and_come_before_dates() {
        let stored = stored(&[("etag", "W/\"a,b\""), ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")]);
        for (lines, has) in [
            (vec![("if-none-match", "\"a,b\"")], true),
            (vec![("if-none-match", "\"x\", W/\"a,b\"")], true),
            (vec![("if-none-match", "*")], true),
            (vec![("if-none-match", "\"a\"")], false),
            (vec![("if-none-match", "\"x\""), ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT")], false),
            (vec![("if-modified-since", "Wed, 01 Jan 2020 00:00:00 GMT")], true),
            (vec![("if-modified-since", "Wednesday, 01-Jan-20 00:00:01 GMT")], true),
            (vec![("if-modified-since", "Tue, 31 Dec 2019 23:59:59 GMT")], false),
            (vec![("if-modified-since", "yesterday")], false),
            (vec![], false),
        ] {
            assert_eq!(has_it(&headers(&lines), &stored), has, "{lines:?}");
        }
    }

    #[test]
    fn one_range_is_cut_out() {
        let stored = stored(&[("etag", "\"a\"")]);
        for (range, part_of) in [
            ("bytes=0-1", Part::Bytes(0..2)),
            ("bytes=8-", Part::Bytes(8..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=-30", Part::Bytes(0..10)),
            ("bytes=5-99999999999999999999", Part::Bytes(5..10)),
            ("bytes=10-", Part::Outside),
            ("bytes=10-12", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=2-1", Part::Whole),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=-", Part::Whole),
            ("items=0-1", Part::Whole),
        ] {
            assert_eq!(part(&headers(&[("range", range)]), &stored), part_of, "{range}");
        }
        let with =
            |condition: &'static str| part(&headers(&[("range", "bytes=0-1"), ("if-range", condition)]), &stored);
        assert_eq!((with("\"a\""), with("\"b\""), with("W/\"a\"")), (Part::Bytes(0..2), Part::Whole, Part::Whole));
    }
}
