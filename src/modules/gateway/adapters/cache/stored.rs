//! An answer that is kept, and what may be done with it.

use std::time::{Duration, Instant};

use actix_web::{
    HttpResponse,
    body::BoxBody,
    http::{
        StatusCode,
        header::{
            AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, DATE, ETAG, EXPIRES, HeaderMap, HeaderName,
            HeaderValue, LAST_MODIFIED, VARY,
        },
    },
};
use bytes::Bytes;

use super::{directives::Directives, policy::Freshness, select::Digest};

/// An answer that is kept.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// The route and its configuration.
    pub(super) route: [u8; 16],
    /// What `Vary` names, and a hash of what the request said there.
    pub(super) names: Vec<HeaderName>,
    pub(super) digest: Digest,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) freshness: Freshness,
    /// How old it was at `since`.
    pub(super) age_then: Duration,
    pub(super) since: Instant,
}

/// What a request makes of an answer that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It is given.
    Fresh,
    /// It is given although it is stale, because the request takes it so.
    Taken,
    /// It is given although it is stale, and a new one is fetched.
    WhileRevalidate,
    /// Its server is asked first.
    Validate,
}

impl Stored {
    /// How old it is (RFC 9111 §4.2.3).
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.age_then + now.saturating_duration_since(self.since)
    }

    /// What a request with these directives makes of it.
    pub(super) fn judge(&self, now: Instant, request: &Directives) -> Use {
        let freshness = &self.freshness;
        if freshness.always_validate || request.has("no-cache") {
            return Use::Validate;
        }
        let age = self.age(now);
        let seconds = |name: &str| request.seconds(name).map(Duration::from_secs);
        if seconds("max-age").is_some_and(|most| age > most) {
            return Use::Validate;
        }
        let left = freshness.lifetime.saturating_sub(age);
        if seconds("min-fresh").is_some_and(|least| left < least) {
            return Use::Validate;
        }
        if !left.is_zero() {
            return Use::Fresh;
        }
        let stale_for = age.saturating_sub(freshness.lifetime);
        let taken = request.seconds_or("max-stale", u64::MAX).map(Duration::from_secs);
        if !freshness.must_revalidate && taken.is_some_and(|most| stale_for <= most) {
            return Use::Taken;
        }
        if stale_for < freshness.while_revalidate {
            return Use::WhileRevalidate;
        }
        Use::Validate
    }

    /// Whether it may stand in for its server's failure. Who asked for validation gets the failure.
    pub(super) fn stands_in(&self, now: Instant, request: &Directives) -> bool {
        let stale_for = self.age(now).saturating_sub(self.freshness.lifetime);
        !request.has("no-cache") && stale_for < self.freshness.if_error
    }

    /// Seconds that it is fresh yet; less than none: since it has not been.
    pub(super) fn ttl(&self, now: Instant) -> i64 {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        seconds(self.freshness.lifetime) - seconds(self.age(now))
    }

    /// For how long it is of use, at most `keep` beyond its freshness where it can be validated.
    pub(super) fn usefulness(&self, now: Instant, keep: Duration) -> Duration {
        let freshness = &self.freshness;
        let stale_use = freshness.while_revalidate.max(freshness.if_error);
        let validated = if self.is_validatable() { keep } else { Duration::ZERO };
        (freshness.lifetime + stale_use.max(validated)).saturating_sub(self.age(now))
    }

    /// Whether its server can be asked if it is still right.
    pub(super) fn is_validatable(&self) -> bool {
        self.headers.contains_key(ETAG) || self.headers.contains_key(LAST_MODIFIED)
    }

    /// What it takes in memory, about.
    pub(super) fn cost(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        256 + headers + self.body.len()
    }

    /// The whole answer.
    pub(super) fn answer(&self, now: Instant) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::with_body(self.status, BoxBody::new(self.body.clone()));
        if matches!(self.status.as_u16(), 204 | 205) {
            response = HttpResponse::with_body(self.status, BoxBody::new(actix_web::body::None::new()));
        }
        *response.headers_mut() = self.headers.clone();
        response.headers_mut().insert(AGE, HeaderValue::from(self.age(now).as_secs()));
        response
    }

    /// The answer to somebody who has it already (RFC 9110 §15.4.5).
    pub(super) fn not_modified(&self, now: Instant) -> HttpResponse<BoxBody> {
        let body = BoxBody::new(actix_web::body::None::new());
        let mut response = HttpResponse::with_body(StatusCode::NOT_MODIFIED, body);
        let headers = response.headers_mut();
        for name in [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY] {
            for value in self.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        headers.insert(AGE, HeaderValue::from(self.age(now).as_secs()));
        response
    }

    /// The same answer after its server has said that it is still right (RFC 9111 §3.2, §4.3.4).
    pub(super) fn updated(&self, told: &HeaderMap) -> HeaderMap {
        let mut headers = self.headers.clone();
        let replaced = told.keys().filter(|name| !is_of_body(name));
        let replaced: std::collections::HashSet<&HeaderName> = replaced.collect();
        for name in replaced {
            headers.remove(name);
            for value in told.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        headers
    }
}

/// Fields that belong to the bytes that were kept, not to what is said of them later.
fn is_of_body(name: &HeaderName) -> bool {
    *name == CONTENT_LENGTH
        || *name == ETAG
        || matches!(name.as_str(), "content-encoding" | "content-range" | "content-md5" | "digest" | "content-digest")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(lifetime: u64, change: impl FnOnce(&mut Freshness)) -> Stored {
        let mut freshness = Freshness {
            lifetime: Duration::from_secs(lifetime),
            always_validate: false,
            must_revalidate: false,
            while_revalidate: Duration::ZERO,
            if_error: Duration::ZERO,
            shareable: false,
        };
        change(&mut freshness);
        Stored {
            route: [0; 16],
            names: Vec::new(),
            digest: [0; 32],
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            freshness,
            age_then: Duration::from_secs(5),
            since: Instant::now(),
        }
    }

    fn judged(stored: &Stored, after: u64, request: &str) -> Use {
        stored.judge(stored.since + Duration::from_secs(after), &Directives::read([request].into_iter()))
    }

    #[test]
    fn it_is_fresh_until_its_age_reaches_its_lifetime() {
        let stored = stored(10, |_| {});
        assert_eq!((judged(&stored, 4, ""), judged(&stored, 5, "")), (Use::Fresh, Use::Validate));
        assert_eq!((stored.ttl(stored.since), stored.ttl(stored.since + Duration::from_secs(9))), (5, -4));
    }

    #[test]
    fn requests_want_it_fresher_or_take_it_staler() {
        let plain = stored(10, |_| {});
        for (after, request, used) in [
            (0, "no-cache", Use::Validate),
            (0, "max-age=4", Use::Validate),
            (0, "max-age=5", Use::Fresh),
            (0, "min-fresh=6", Use::Validate),
            (0, "min-fresh=5", Use::Fresh),
            (7, "max-stale", Use::Taken),
            (7, "max-stale=2", Use::Taken),
            (7, "max-stale=1", Use::Validate),
            (7, "max-stale=9, max-age=3", Use::Validate),
        ] {
            assert_eq!(judged(&plain, after, request), used, "{after} {request}");
        }
        let strict = stored(10, |freshness| freshness.must_revalidate = true);
        assert_eq!(judged(&strict, 7, "max-stale"), Use::Validate);
    }

    #[test]
    fn stale_use_ends() {
        let lenient = stored(10, |freshness| {
            freshness.while_revalidate = Duration::from_secs(3);
            freshness.if_error = Duration::from_secs(6);
        });
        assert_eq!((judged(&lenient, 7, ""), judged(&lenient, 8, "")), (Use::WhileRevalidate, Use::Validate));
        let stands_in = |after, request: &str| {
            let now = lenient.since + Duration::from_secs(after);
            lenient.stands_in(now, &Directives::read([request].into_iter()))
        };
        assert!(stands_in(10, "") && !stands_in(11, "") && !stands_in(10, "no-cache"));
    }

    #[test]
    fn what_is_told_later_replaces_all_but_what_belongs_to_the_body() {
        let mut stored = stored(1, |_| {});
        let header = |text: &'static str| HeaderValue::from_static(text);
        for (name, value) in [("a", "1"), ("content-encoding", "br"), ("etag", "\"x\""), ("c", "1")] {
            stored.headers.append(HeaderName::from_static(name), header(value));
        }
        let mut told = HeaderMap::new();
        for (name, value) in [("a", "2"), ("a", "3"), ("content-encoding", "gzip"), ("etag", "\"y\""), ("b", "1")] {
            told.append(HeaderName::from_static(name), header(value));
        }
        let updated = stored.updated(&told);
        let all = |name: &str| {
            updated.get_all(name).map(|value| value.to_str().expect("text").to_owned()).collect::<Vec<_>>().join(",")
        };
        assert_eq!((all("a"), all("b"), all("c")), ("2,3".to_owned(), "1".to_owned(), "1".to_owned()));
        assert_eq!((all("content-encoding"), all("etag")), ("br".to_owned(), "\"x\"".to_owned()));
    }
}
