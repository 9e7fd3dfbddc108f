//! Answers that are no longer fresh, and what makes them invalid.

use super::*;

#[actix_web::test]
async fn a_stale_answer_is_given_while_a_new_one_is_fetched() {
    let upstream = origin(|_, number| {
        let control = if number == 1 { "max-age=1, stale-while-revalidate=30" } else { "max-age=60" };
        (format!("cache-control: {control}\r\n"), number.to_string())
    });
    let front = cached(&upstream, "{}").await;
    assert_eq!(get(&front, "/u/x", "").await.text(), "1");
    pause(1100).await;
    let stale = get(&front, "/u/x", "").await;
    assert_eq!(stale.text(), "1");
    assert!(cache_status(&stale).starts_with("vestibule; hit; ttl=0"), "{stale:?}");
    pause(300).await;
    let fresh = get(&front, "/u/x", "").await;
    assert_eq!((fresh.text().as_str(), upstream.requests()), ("2", 2));
    assert!(fresh.header("age").is_some());
}

#[actix_web::test]
async fn the_route_says_it_where_the_answer_does_not() {
    for (control, stale_use) in [
        ("max-age=1", true),
        ("max-age=1, must-revalidate", false),
        ("max-age=1, proxy-revalidate", false),
        ("s-maxage=1", false),
        ("max-age=1, stale-while-revalidate=0", false),
    ] {
        let upstream = origin(move |_, number| (format!("cache-control: {control}\r\n"), number.to_string()));
        let front = cached(&upstream, "{ stale_while_revalidate = '30s' }").await;
        get(&front, "/u/x", "").await;
        pause(1100).await;
        let second = get(&front, "/u/x", "").await;
        assert_eq!(second.text() == "1", stale_use, "{control}");
    }
}

#[actix_web::test]
async fn a_failing_upstream_is_stood_in_for() {
    for failure in ["status 503 Away\r\n", "status 500 Broken\r\n", "close"] {
        for (control, stands_in) in [
            ("max-age=0, stale-if-error=60", true),
            ("max-age=0", true),
            ("max-age=0, must-revalidate", false),
            ("no-cache", false),
            ("s-maxage=0", false),
            ("s-maxage=0, stale-if-error=60", true),
            ("max-age=0, stale-if-error=0", false),
        ] {
            let count = AtomicUsize::new(0);
            let upstream = Upstream::new(move |_, stream| {
                if count.fetch_add(1, Ordering::SeqCst) == 0 {
                    let lines = format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncache-control: {control}\r\n\r\nkept");
                    return stream.write_all(lines.as_bytes()).is_ok();
                }
                let status = failure.strip_prefix("status ").unwrap_or("");
                !status.is_empty() && write!(stream, "HTTP/1.1 {status}content-length: 0\r\n\r\n").is_ok()
            });
            let front = cached(&upstream, "{ stale_if_error = '1m' }").await;
            get(&front, "/u/x", "").await;
            let second = get(&front, "/u/x", "").await;
            assert_eq!(second.status == 200, stands_in, "{failure} {control}");
            if stands_in {
                assert_eq!(second.text(), "kept");
                assert!(second.header("age").is_some());
                assert!(cache_status(&second).contains("detail=upstream-failed"), "{second:?}");
                let demanding = get(&front, "/u/x", "cache-control: no-cache\r\n").await;
                assert!(demanding.status >= 500, "who asks for validation gets the failure");
            }
        }
    }
}

#[actix_web::test]
async fn a_request_may_take_what_is_stale() {
    for (control, taken) in [("max-age=0", true), ("max-age=0, must-revalidate", false), ("s-maxage=0", false)] {
        let upstream = origin(move |_, number| {
            (format!("cache-control: {control}\r\netag: \"{number}\"\r\n"), number.to_string())
        });
        let front = cached(&upstream, "{}").await;
        get(&front, "/u/x", "").await;
        let answer = get(&front, "/u/x", "cache-control: max-stale=60\r\n").await;
        assert_eq!(answer.text() == "1", taken, "{control}");
    }
}

#[actix_web::test]
async fn what_changes_something_invalidates_what_is_kept() {
    for (method, status, forgotten) in [
        ("POST", "200 OK", true),
        ("PUT", "204 Done", true),
        ("PATCH", "303 Other", true),
        ("DELETE", "200 OK", true),
        ("M-SEARCH", "200 OK", true),
        ("POST", "400 No", false),
        ("DELETE", "500 Broken", false),
        ("OPTIONS", "200 OK", false),
        ("QUERY", "200 OK", false),
    ] {
        let upstream = origin(move |head, number| {
            if head.starts_with("GET") {
                ("cache-control: max-age=60\r\n".to_owned(), number.to_string())
            } else {
                (format!("status {status}\r\nlocation: /u/made?a=1\r\ncontent-location: at\r\n"), String::new())
            }
        });
        let front = cached(&upstream, "{}").await;
        for path in ["/u/x", "/u/made?a=1", "/u/at", "/u/other"] {
            get(&front, path, "").await;
        }
        let request = format!("{method} /u/x HTTP/1.1\r\nhost: front.example\r\ncontent-length: 0\r\n\r\n");
        let answer = raw(&front, request).await;
        assert_eq!(cache_status(&answer), "vestibule; fwd=method");
        for (path, forgotten) in
            [("/u/x", forgotten), ("/u/made?a=1", forgotten), ("/u/at", forgotten), ("/u/other", false)]
        {
            let before = upstream.requests();
            get(&front, path, "").await;
            assert_eq!(upstream.requests() > before, forgotten, "{method} {status} {path}");
        }
    }
}

#[actix_web::test]
async fn an_answer_from_before_a_change_is_not_kept_after_it() {
    let upstream = origin(|head, number| {
        if head.starts_with("GET") && number == 1 {
            std::thread::sleep(Duration::from_millis(500));
        }
        ("cache-control: max-age=60\r\n".to_owned(), number.to_string())
    });
    let front = cached(&upstream, "{}").await;
    let slow = get(&front, "/u/x", "");
    let change = async {
        pause(150).await;
        raw(&front, "POST /u/x HTTP/1.1\r\nhost: front.example\r\ncontent-length: 0\r\n\r\n").await
    };
    let (slow, _) = futures_util::future::join(slow, change).await;
    assert_eq!(slow.text(), "1");
    assert_eq!(get(&front, "/u/x", "").await.text(), "3", "the old state must not come back");
}

#[actix_web::test]
async fn purging_forgets_by_url_tag_or_prefix() {
    let upstream = origin(|head, number| {
        let tag = if head.contains("/a") { "cache-tag: one, two\r\n" } else { "surrogate-key: two three\r\n" };
        (format!("cache-control: max-age=60\r\n{tag}"), number.to_string())
    });
    let front = cached(&upstream, "{}").await;
    let bearer = |scope: &str| format!("authorization: Bearer {}\r\n", token(1, &[], scope));
    let purge = async |body: &str, headers: &str| {
        let length = body.len();
        let head = format!("host: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}");
        raw(&front, format!("POST /admin/cache/purge HTTP/1.1\r\n{head}\r\n{body}")).await
    };
    let all = r#"{"all": true}"#;
    assert_eq!(purge(all, "").await.status, 401);
    assert_eq!(purge(all, &bearer("gateway:read")).await.status, 403);
    assert_eq!(get(&front, "/admin/cache", "").await.status, 401);
    assert_eq!(get(&front, "/admin/cache", &bearer("x")).await.status, 403);
    let write = bearer("gateway:write");
    assert_eq!(purge("{}", &write).await.status, 422);
    for (body, gone) in [
        (r#"{"key": "http://front.example/u/a"}"#, [true, false, false]),
        (r#"{"tag": "one"}"#, [true, false, false]),
        (r#"{"tag": "two"}"#, [true, true, true]),
        (r#"{"tag": "three"}"#, [false, true, true]),
        (r#"{"prefix": "http://front.example/u/b"}"#, [false, true, true]),
        (r#"{"tag": "none"}"#, [false, false, false]),
        (all, [true, true, true]),
    ] {
        let paths = ["/u/a", "/u/b", "/u/bc"];
        for path in paths {
            get(&front, path, "").await;
        }
        let purged = purge(body, &write).await;
        let count = gone.iter().filter(|gone| **gone).count();
        assert_eq!((purged.status, purged.text()), (200, format!("{{\"purged\":{count}}}")), "{body}");
        for (path, gone) in paths.into_iter().zip(gone) {
            let before = upstream.requests();
            get(&front, path, "").await;
            assert_eq!(upstream.requests() > before, gone, "{body} {path}");
        }
    }
}
