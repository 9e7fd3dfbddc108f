//! What is kept, and what is not.

use super::*;

#[actix_web::test]
async fn a_fresh_answer_is_given_without_the_upstream() {
    let upstream = counting("cache-control: max-age=60\r\nx-own: kept\r\netag: \"a\"\r\n");
    let front = cached(&upstream, "{}").await;
    let first = get(&front, "/u/x?q=1", "").await;
    assert_eq!((first.status, first.text().as_str(), first.header("age")), (200, "1", None));
    assert_eq!(cache_status(&first), "vestibule; fwd=uri-miss; ttl=60; stored; key=\"http://front.example/u/x?q=1\"");
    let second = get(&front, "/u/x?q=1", "").await;
    assert_eq!((second.text().as_str(), second.header("age"), second.header("x-own")), ("1", Some("0"), Some("kept")));
    assert_eq!(cache_status(&second), "vestibule; hit; ttl=60; key=\"http://front.example/u/x?q=1\"");
    let head = raw(&front, "HEAD /u/x?q=1 HTTP/1.1\r\nhost: front.example\r\n\r\n").await;
    assert_eq!((head.status, head.header("content-length"), head.header("etag")), (200, Some("1"), Some("\"a\"")));
    assert_eq!(upstream.requests(), 1);
    for other in ["/u/x?q=2", "/u/x", "/u/X?q=1"] {
        assert_eq!(get(&front, other, "").await.header("age"), None, "{other}");
    }
    assert_eq!(upstream.requests(), 4);
    raw(&front, "GET /u/x?q=1 HTTP/1.1\r\nhost: other.example\r\n\r\n").await;
    assert_eq!(upstream.requests(), 5, "another host is another URL");
}

#[actix_web::test]
async fn answers_say_what_may_be_kept() {
    let long = "date: Thu, 01 Jan 2015 00:00:00 GMT\r\n";
    for (section, lines, reused) in [
        ("9111 4.2.2: nothing said, nothing guessed", String::new(), false),
        ("9111 5.2.2.1: max-age", "cache-control: max-age=60\r\n".to_owned(), true),
        ("9111 5.2.2.1: no time", "cache-control: max-age=0\r\n".to_owned(), false),
        ("9111 5.2.2.10: s-maxage over max-age", "cache-control: max-age=60, s-maxage=0\r\n".to_owned(), false),
        ("9111 5.2.2.10: s-maxage alone", "cache-control: s-maxage=60\r\n".to_owned(), true),
        ("9111 5.2.2.10: over no max-age", "cache-control: max-age=0, s-maxage=60\r\n".to_owned(), true),
        ("9111 5.3: Expires ahead", "expires: Thu, 18 Aug 2050 02:01:18 GMT\r\n".to_owned(), true),
        ("9111 5.3: Expires in an old form", "expires: Thu Aug 18 02:01:18 2050\r\n".to_owned(), true),
        ("9111 5.3: Expires past", "expires: Thu, 18 Aug 2015 02:01:18 GMT\r\n".to_owned(), false),
        ("9111 5.3: Expires is no date", "expires: 0\r\n".to_owned(), false),
        ("9111 5.3: max-age over Expires", "cache-control: max-age=60\r\nexpires: 0\r\n".to_owned(), true),
        ("9111 5.3: two Expires", "expires: Thu, 18 Aug 2050 02:01:18 GMT\r\nexpires: 0\r\n".to_owned(), false),
        ("9111 5.1: older than its time", "cache-control: max-age=60\r\nage: 61\r\n".to_owned(), false),
        ("9111 5.1: younger than its time", "cache-control: max-age=60\r\nage: 20\r\n".to_owned(), true),
        ("9111 5.1: an age that is none", "cache-control: max-age=60\r\nage: young\r\n".to_owned(), false),
        ("9111 5.1: two ages", "cache-control: max-age=60\r\nage: 0\r\nage: 1\r\n".to_owned(), false),
        ("9111 4.2.3: apparent age", format!("cache-control: max-age=60\r\n{long}"), false),
        ("9111 5.2.2.5: no-store", "cache-control: max-age=60, no-store\r\n".to_owned(), false),
        ("9111 5.2.2.5: names have no case", "cache-control: max-age=60, No-StOrE\r\n".to_owned(), false),
        ("9111 5.2.2.4: no-cache", "cache-control: max-age=60, no-cache\r\n".to_owned(), false),
        ("9111 5.2.2.7: private", "cache-control: max-age=60, private\r\n".to_owned(), false),
        ("9111 5.2: in quotes", "cache-control: max-age=60, x=\"no-store\"\r\n".to_owned(), true),
        ("9111 5.2: quoted time", "cache-control: max-age=\"60\"\r\n".to_owned(), true),
        ("9111 5.2: more lines", "cache-control: max-age=60\r\ncache-control: no-store\r\n".to_owned(), false),
        ("9111 5.4: Pragma", "pragma: no-cache\r\nexpires: Thu, 18 Aug 2050 02:01:18 GMT\r\n".to_owned(), false),
        ("9111 4.1: Vary on everything", "cache-control: max-age=60\r\nvary: *\r\n".to_owned(), false),
        ("9111 4.1: among others", "cache-control: max-age=60\r\nvary: a, *\r\n".to_owned(), false),
        ("9111 4.1: what is never the same", "cache-control: max-age=60\r\nvary: x-request-id\r\n".to_owned(), false),
        ("9111 4.1: the same", "cache-control: max-age=60\r\nvary: a\r\n".to_owned(), true),
        ("6265: a cookie is somebody's", "cache-control: max-age=60\r\nset-cookie: a=b\r\n".to_owned(), false),
        ("9111 3: 404", "status 404 Not Found\r\ncache-control: max-age=60\r\n".to_owned(), true),
        ("9111 3: 404 without a word", "status 404 Not Found\r\n".to_owned(), false),
        ("9111 3: 503 with a time", "status 503 Away\r\ncache-control: max-age=60\r\n".to_owned(), true),
        ("9111 3: an unknown status", "status 299 Odd\r\ncache-control: max-age=60\r\n".to_owned(), true),
        (
            "9111 5.2.2.3: must-understand",
            "status 299 Odd\r\ncache-control: max-age=60, must-understand\r\n".to_owned(),
            false,
        ),
        ("9111 5.2.2.3: over no-store", "cache-control: max-age=60, must-understand, no-store\r\n".to_owned(), true),
        ("9111 3.3: a part", "status 206 Part\r\ncache-control: max-age=60\r\n".to_owned(), false),
        ("9213: the targeted field", "cache-control: no-store\r\ncdn-cache-control: max-age=60\r\n".to_owned(), true),
        ("9213: against keeping", "cache-control: max-age=60\r\ncdn-cache-control: no-store\r\n".to_owned(), false),
        ("9213: over Expires", "expires: 0\r\ncdn-cache-control: max-age=60\r\n".to_owned(), true),
        ("9213: not sound", "cache-control: no-store\r\ncdn-cache-control: max-age=60, &&\r\n".to_owned(), false),
        ("9111 4.2.2: a tenth of its age", "last-modified: Thu, 01 Jan 2015 00:00:00 GMT\r\n".to_owned(), true),
        (
            "9111 4.2.2: not for every status",
            "status 403 No\r\nlast-modified: Thu, 01 Jan 2015 00:00:00 GMT\r\n".to_owned(),
            false,
        ),
        (
            "9111 4.2.2: unless it is public",
            "status 403 No\r\ncache-control: public\r\nlast-modified: Thu, 01 Jan 2015 00:00:00 GMT\r\n".to_owned(),
            true,
        ),
    ] {
        let upstream = origin(move |_, _| (lines.clone(), "body".to_owned()));
        let front = cached(&upstream, "{}").await;
        assert_eq!(is_reused(&upstream, &front, "").await, reused, "{section}");
    }
}

#[actix_web::test]
async fn the_routes_time_is_for_answers_that_say_nothing() {
    for (lines, reused) in [
        ("", true),
        ("etag: \"a\"\r\n", true),
        ("status 404 Not Found\r\n", false),
        ("cache-control: public\r\n", false),
        ("cache-control: no-cache\r\n", false),
        ("pragma: no-cache\r\n", false),
        ("expires: 0\r\n", false),
        ("set-cookie: a=b\r\n", false),
    ] {
        let upstream = counting(lines);
        let front = cached(&upstream, "{ ttl = '30s' }").await;
        assert_eq!(is_reused(&upstream, &front, "").await, reused, "{lines}");
    }
}

#[actix_web::test]
async fn requests_with_credentials_share_what_is_said_to_be_shared() {
    for (control, reused) in [
        ("max-age=60", false),
        ("public, max-age=60", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
    ] {
        for credentials in ["authorization: Basic YTpi\r\n", "x-api-key: abc\r\n"] {
            let upstream = origin(move |_, number| (format!("cache-control: {control}\r\n"), number.to_string()));
            let front = cached(&upstream, "{ ttl = '30s' }").await;
            assert_eq!(is_reused(&upstream, &front, credentials).await, reused, "{control} {credentials}");
        }
    }
    let upstream = counting("cache-control: max-age=60\r\n");
    let front = cached(&upstream, "{}").await;
    assert_eq!(get(&front, "/u/x", "").await.text(), "1");
    assert_eq!(get(&front, "/u/x", "authorization: Basic YTpi\r\n").await.text(), "2", "nor what others left");
    assert_eq!(get(&front, "/u/x", "").await.text(), "1");
}

#[actix_web::test]
async fn requests_say_what_they_take() {
    let upstream = counting("cache-control: max-age=60\r\nage: 10\r\n");
    let front = cached(&upstream, "{}").await;
    let only = get(&front, "/u/x", "cache-control: only-if-cached\r\n").await;
    assert_eq!((only.status, only.code(), upstream.requests()), (504, "not-cached", 0));
    assert_eq!(get(&front, "/u/x", "").await.text(), "1");
    let only = get(&front, "/u/x", "cache-control: only-if-cached\r\n").await;
    assert_eq!((only.status, only.text().as_str()), (200, "1"));
    for (control, asked) in [
        ("max-age=20", false),
        ("max-age=5", true),
        ("min-fresh=20", false),
        ("min-fresh=55", true),
        ("no-cache", true),
        ("no-store", true),
        ("nothing-known", false),
    ] {
        let before = upstream.requests();
        let answer = get(&front, "/u/x", &format!("cache-control: {control}\r\n")).await;
        assert_eq!(upstream.requests() > before, asked, "{control}");
        if control == "no-cache" {
            assert!(cache_status(&answer).contains("fwd=request"), "{answer:?}");
        }
    }
    let before = upstream.requests();
    get(&front, "/u/x", "pragma: no-cache\r\n").await;
    assert_eq!(upstream.requests(), before + 1);
}

#[actix_web::test]
async fn requests_with_a_body_are_between_the_two() {
    let upstream = counting("cache-control: max-age=60\r\n");
    let front = cached(&upstream, "{}").await;
    let with_body = "GET /u/x HTTP/1.1\r\nhost: front.example\r\ncontent-length: 2\r\n\r\nhi";
    let answer = raw(&front, with_body).await;
    assert_eq!(cache_status(&answer), "vestibule; fwd=bypass");
    assert_eq!(get(&front, "/u/x", "").await.header("age"), None);
}

#[actix_web::test]
async fn only_whole_bodies_are_kept() {
    for (said, whole) in [
        ("content-length: 9\r\n\r\nhalf", false),
        ("transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", false),
        ("transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n\r\n", true),
    ] {
        let upstream = Upstream::new(move |_, stream| {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\n{said}");
            false
        });
        let front = cached(&upstream, "{ stale_if_error = '1m' }").await;
        assert_eq!(get(&front, "/u/x", "").await.whole, whole);
        let second = get(&front, "/u/x", "").await;
        assert_eq!((second.header("age").is_some(), upstream.requests()), (whole, if whole { 1 } else { 2 }), "{said}");
    }
}

#[actix_web::test]
async fn what_is_too_long_is_passed_on() {
    let upstream = origin(|_, _| ("cache-control: max-age=60\r\n".to_owned(), "x".repeat(3000)));
    let lines = one_upstream(upstream.address, "", "cache = {}");
    let front = front(&config(&format!("cache = {{ max_entry_bytes = '2KiB' }}\n{lines}"))).await;
    for _ in 0..2 {
        let answer = get(&front, "/u/x", "").await;
        assert_eq!((answer.body.len(), answer.header("age")), (3000, None));
    }
}

#[actix_web::test]
async fn memory_is_bounded() {
    let upstream = origin(|_, _| ("cache-control: max-age=60\r\n".to_owned(), "x".repeat(1000)));
    let lines = one_upstream(upstream.address, "", "cache = {}");
    let cache = "cache = { max_bytes = '20KiB', max_entry_bytes = '2KiB', max_variants = 3 }";
    let front = front(&config(&format!("{cache}\n{lines}"))).await;
    for number in 0..100 {
        get(&front, &format!("/u/{number}"), "").await;
    }
    let token = format!("authorization: Bearer {}\r\n", token(1, &[], "gateway:read"));
    let state: serde_json::Value = serde_json::from_slice(&get(&front, "/admin/cache", &token).await.body).unwrap();
    let bytes = state["bytes"].as_u64().unwrap();
    assert!(bytes > 0 && bytes <= 20 << 10, "{state}");
    assert_eq!((state["lookups"].as_u64(), state["collecting_bytes"].as_u64()), (Some(100), Some(0)), "{state}");
}

#[actix_web::test]
async fn roles_are_not_cached_and_the_settings_are_checked() {
    let wrong = config(
        "cache = { max_bytes = '1KiB', max_entry_bytes = '2KiB', max_variants = 0 }\n\
         [[routes]]\nname = 'a'\npath = '/a'\nupstream = 'auth'\ncache = { ttl = '1s' }",
    );
    let faults = crate::modules::gateway::check(&wrong);
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["gateway.cache.max_entry_bytes", "gateway.cache.max_variants", "gateway.routes[0].cache"]);
}
