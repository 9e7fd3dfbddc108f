//! Asking whether what is kept is still right, and conditions and ranges of clients.

use super::*;

/// Answers 304 to its own tag or date, and counts.
fn validating(first: &'static str, told: &'static str) -> Upstream {
    origin(move |head, number| {
        let knows = head.contains("if-none-match: \"a\"") || head.contains("if-modified-since: Wed, 01 Jan 2020");
        if knows {
            (format!("status 304 Same\r\n{told}"), String::new())
        } else {
            (first.to_owned(), number.to_string())
        }
    })
}

#[actix_web::test]
async fn what_is_stale_is_validated_and_brought_up_to_date() {
    let modified = "last-modified: Wed, 01 Jan 2020 00:00:00 GMT\r\ncache-control: max-age=0\r\nx-a: 1\r\nx-b: 1\r\n";
    for first in ["etag: \"a\"\r\ncache-control: max-age=0\r\nx-a: 1\r\nx-b: 1\r\n", modified] {
        let upstream = validating(first, "cache-control: max-age=60\r\nx-a: 2\r\nx-c: 3\r\n");
        let front = cached(&upstream, "{}").await;
        assert_eq!(get(&front, "/u/x", "").await.text(), "1");
        for asked in [2, 2] {
            let answer = get(&front, "/u/x", "").await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "1"));
            let values = ["x-a", "x-b", "x-c"].map(|name| answer.header(name));
            assert_eq!(values, [Some("2"), Some("1"), Some("3")]);
            assert_eq!(upstream.requests(), asked);
        }
    }
}

#[actix_web::test]
async fn the_line_says_that_it_was_validated() {
    let upstream = validating("etag: \"a\"\r\ncache-control: max-age=0\r\n", "cache-control: max-age=60\r\n");
    let front = cached(&upstream, "{}").await;
    get(&front, "/u/x", "").await;
    let answer = get(&front, "/u/x", "").await;
    assert!(cache_status(&answer).starts_with("vestibule; fwd=stale; fwd-status=304; ttl=60; stored"), "{answer:?}");
}

#[actix_web::test]
async fn no_cache_is_kept_and_always_validated() {
    let upstream =
        validating("etag: \"a\"\r\ncache-control: no-cache\r\n", "etag: \"a\"\r\ncache-control: no-cache\r\n");
    let front = cached(&upstream, "{ ttl = '1m', stale_while_revalidate = '1m' }").await;
    for requests in 1..4 {
        assert_eq!(get(&front, "/u/x", "").await.text(), "1");
        assert_eq!(upstream.requests(), requests);
    }
    assert!(upstream.last_head().contains("if-none-match: \"a\""));
}

#[actix_web::test]
async fn conditions_of_clients_are_answered_from_what_is_kept() {
    let upstream = counting(
        "etag: \"a\"\r\nlast-modified: Wed, 01 Jan 2020 00:00:00 GMT\r\ncache-control: max-age=60\r\nx-own: 1\r\n",
    );
    let front = cached(&upstream, "{}").await;
    get(&front, "/u/x", "").await;
    for (condition, status) in [
        ("if-none-match: \"a\"", 304),
        ("if-none-match: W/\"a\", \"b\"", 304),
        ("if-none-match: *", 304),
        ("if-none-match: \"b\"", 200),
        ("if-modified-since: Wed, 01 Jan 2020 00:00:00 GMT", 304),
        ("if-modified-since: Tue, 31 Dec 2019 00:00:00 GMT", 200),
        ("if-none-match: \"b\"\r\nif-modified-since: Wed, 01 Jan 2020 00:00:00 GMT", 200),
        ("range: bytes=0-0", 206),
        ("range: bytes=5-", 416),
        ("range: bytes=0-0\r\nif-range: \"b\"", 200),
        ("range: bytes=0-0\r\nif-none-match: \"a\"", 304),
    ] {
        let answer = get(&front, "/u/x", &format!("{condition}\r\n")).await;
        assert_eq!((answer.status, answer.header("age").is_some()), (status, true), "{condition}");
        match status {
            304 => assert_eq!((answer.header("etag"), answer.header("x-own")), (Some("\"a\""), None)),
            206 => assert_eq!((answer.text().as_str(), answer.header("content-range")), ("1", Some("bytes 0-0/1"))),
            416 => assert_eq!(answer.header("content-range"), Some("bytes */1")),
            _ => assert_eq!(answer.text(), "1"),
        }
    }
    assert_eq!(upstream.requests(), 1);
    get(&front, "/u/x", "if-match: \"a\"\r\n").await;
    assert_eq!(upstream.requests(), 2, "what is about the resource itself goes to its server");
}

#[actix_web::test]
async fn a_clients_condition_is_not_the_caches() {
    // What is kept is "a"; the client has "b", which the upstream does not know.
    let upstream = validating("etag: \"a\"\r\ncache-control: max-age=0\r\n", "");
    let front = cached(&upstream, "{}").await;
    get(&front, "/u/x", "").await;
    let answer = get(&front, "/u/x", "if-none-match: \"b\"\r\n").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "1"));
    assert!(!upstream.last_head().contains("\"b\""));
    let answer = get(&front, "/u/x", "if-none-match: \"a\"\r\n").await;
    assert_eq!(answer.status, 304);
}

#[actix_web::test]
async fn conditions_and_ranges_without_anything_kept_pass_through() {
    let upstream = origin(|head, _| {
        if head.contains("range:") {
            let part = "status 206 Part\r\ncontent-range: bytes 0-0/9\r\ncache-control: max-age=60\r\n";
            return (part.to_owned(), "1".to_owned());
        }
        ("status 304 Same\r\ncache-control: max-age=60\r\n".to_owned(), String::new())
    });
    let front = cached(&upstream, "{ ttl = '1m' }").await;
    for (condition, status) in [("range: bytes=0-0", 206), ("if-none-match: \"x\"", 304)] {
        for _ in 0..2 {
            let answer = get(&front, "/u/x", &format!("{condition}\r\n")).await;
            assert_eq!((answer.status, answer.header("age")), (status, None), "{condition}");
        }
    }
    assert_eq!(upstream.requests(), 4);
}

#[actix_web::test]
async fn a_whole_answer_takes_the_place_of_the_old_one() {
    let upstream =
        origin(|_, number| (format!("etag: \"{number}\"\r\ncache-control: max-age=0\r\n"), number.to_string()));
    let front = cached(&upstream, "{}").await;
    for number in 1..4 {
        assert_eq!(get(&front, "/u/x", "").await.text(), number.to_string());
    }
    assert!(upstream.last_head().contains("if-none-match: \"2\""));
}

#[actix_web::test]
async fn fields_that_must_not_be_kept_are_not() {
    let upstream = counting(
        "cache-control: max-age=60, no-cache=\"x-a\", private=\"x-b\"\r\nx-a: 1\r\nx-b: 1\r\nx-c: 1\r\n\
         connection: x-d\r\nx-d: 1\r\nproxy-authentication-info: 1\r\n",
    );
    let front = cached(&upstream, "{}").await;
    get(&front, "/u/x", "").await;
    let answer = get(&front, "/u/x", "").await;
    let values = ["x-a", "x-b", "x-c", "x-d", "proxy-authentication-info"].map(|name| answer.header(name));
    assert_eq!(values, [None, None, Some("1"), None, None]);
}
