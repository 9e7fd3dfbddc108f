//! Splits, mirrors, schemas, notices of deprecation, compression, QUERY.

use std::{io::Write as _, time::Duration};

use actix_web::rt::time::sleep;

use super::support::*;
use crate::modules::gateway::check;

fn two_upstreams(one: &Upstream, other: &Upstream, route: &str) -> String {
    format!(
        "[[upstreams]]\nname = 'one'\ntargets = [{{ url = 'http://{}' }}]\n\
         [[upstreams]]\nname = 'other'\ntargets = [{{ url = 'http://{}' }}]\n\
         [[routes]]\nname = 'r'\npath = '/r/{{*rest}}'\n{route}\n",
        one.address, other.address
    )
}

#[actix_web::test]
async fn a_split_shares_requests_out_and_a_cookie_keeps_them() {
    let (one, other) = (Upstream::ok("one"), Upstream::ok("other"));
    let split = "split = [{ upstream = 'one', percent = 50 }, { upstream = 'other', percent = 50 }]";
    let loose = front(&config(&two_upstreams(&one, &other, split))).await;
    for _ in 0..60 {
        assert_eq!(get(&loose, "/r/x", "").await.status, 200);
    }
    assert!((10..=50).contains(&one.requests()), "{}", one.requests());

    let sticky = front(&config(&two_upstreams(&one, &other, &format!("{split}\nsticky = 'cookie:lane'")))).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..12 {
        let first = get(&sticky, "/r/x", "").await;
        let cookie = first.header("set-cookie").unwrap().to_owned();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        seen.insert(first.text());
        for _ in 0..3 {
            let again = get(&sticky, "/r/x", &format!("cookie: a=b; {pair}\r\n")).await;
            assert_eq!((again.text(), again.header("set-cookie")), (first.text(), None));
        }
    }
    assert_eq!(seen.len(), 2);

    let by_user = format!("{split}\nsticky = 'user'\nauth = 'optional'");
    let by_user = front(&config(&two_upstreams(&one, &other, &by_user))).await;
    let mut seen = std::collections::BTreeSet::new();
    for user in 0..16 {
        let who = format!("authorization: Bearer {}\r\n", token(user, &[], ""));
        let first = get(&by_user, "/r/x", &who).await.text();
        assert_eq!(get(&by_user, "/r/x", &who).await.text(), first);
        seen.insert(first);
    }
    assert_eq!(seen.len(), 2);
}

#[actix_web::test]
async fn a_mirror_gets_a_copy_and_the_client_never_waits_for_it() {
    let one = Upstream::ok("one");
    // The other reads what comes and never answers.
    let other = Upstream::new(|_, _| true);
    let mirror = "upstream = 'one'\nmirror = { upstream = 'other', body_limit = '4KiB' }";
    let front = front(&config(&two_upstreams(&one, &other, mirror))).await;
    let started = std::time::Instant::now();
    assert_eq!(get(&front, "/r/x?y=1", "x-a: b\r\n").await.text(), "one");
    let post = |length: usize| {
        let head = format!("POST /r/x HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        head + &"z".repeat(length)
    };
    assert_eq!(raw(&front, post(100)).await.text(), "one");
    assert_eq!(raw(&front, post(5000)).await.text(), "one");
    assert!(started.elapsed() < Duration::from_secs(5));
    for _ in 0..50 {
        if other.requests() == 2 {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_millis(100)).await;
    let heads = other.heads.lock().unwrap().clone();
    assert_eq!(heads.len(), 2, "the long one is not copied: {heads:?}");
    assert!(heads.iter().any(|head| head.starts_with("GET /r/x?y=1 HTTP/1.1") && head.contains("x-a: b")));
    assert!(heads.iter().any(|head| head.starts_with("POST /r/x ") && head.contains("content-length: 100")));
}

#[actix_web::test]
async fn a_body_that_fails_the_schema_goes_no_further() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("order.json");
    std::fs::write(
        &file,
        r#"{"type": "object", "required": ["sku"], "additionalProperties": false,
            "properties": {"sku": {"type": "string"}, "count": {"type": "integer", "minimum": 1}}}"#,
    )
    .unwrap();
    let upstream = Upstream::new(|head, stream| {
        use std::io::Read as _;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").unwrap();
        stream.write_all(&body).is_ok()
    });
    let route = format!("request_schema = '{}'\nbody_limit = '1KiB'", file.display());
    let front = front(&config(&one_upstream(upstream.address, "", &route))).await;
    let post = async |content_type: &str, body: &str| {
        let head = format!(
            "POST /u/x HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        raw(&front, head).await
    };
    let good = post("application/json", r#"{"sku": "a"}"#).await;
    assert_eq!((good.status, good.text().as_str()), (200, r#"{"sku": "a"}"#));
    let chunked = "POST /u/x HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
                   6\r\n{\"sku\"\r\n5\r\n:\"a\"}\r\n0\r\n\r\n";
    assert_eq!(raw(&front, chunked).await.text(), "{\"sku\":\"a\"}");
    assert_eq!(upstream.requests(), 2);
    for (content_type, body, status, code) in [
        ("application/json", r#"{"count": 0, "more": 1}"#, 422, "validation-failed"),
        ("application/json", "{", 400, "malformed-request"),
        ("application/json", r#"{"sku": "a", "sku": "b"}"#, 400, "malformed-request"),
        ("application/json", "", 400, "malformed-request"),
        ("text/plain", r#"{"sku": "a"}"#, 415, "unsupported-media-type"),
        ("application/json", &format!("{{\"sku\": \"{}\"}}", "x".repeat(2000)), 413, "body-too-large"),
    ] {
        let answer = post(content_type, body).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{content_type} {body}");
    }
    assert_eq!(upstream.requests(), 2);
    assert_eq!(get(&front, "/u/x", "").await.status, 502, "without a body there is nothing to look at");
}

#[actix_web::test]
async fn notices_of_deprecation_stand_on_every_answer() {
    let upstream = Upstream::new(|_, stream| {
        write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nlink: </x>; rel=\"next\"\r\n\r\n").is_ok()
    });
    let route = "deprecated = { since = '2026-01-01', sunset = '2026-12-31', link = 'https://docs.example/v2' }";
    let front = front(&config(&one_upstream(upstream.address, "", route))).await;
    let answer = get(&front, "/u/x", "").await;
    assert_eq!((answer.status, answer.header("deprecation")), (404, Some("@1767225600")));
    assert_eq!(answer.header("sunset"), Some("Thu, 31 Dec 2026 00:00:00 GMT"));
    for rel in ["next", "deprecation", "sunset"] {
        assert!(answer.head.contains(&format!("rel=\"{rel}\"")), "{}", answer.head);
    }
}

/// Answers with these headers and a body of this length.
fn answering(headers: &'static str, length: usize) -> Upstream {
    Upstream::new(move |head, stream| {
        let body = if head.starts_with("HEAD") { String::new() } else { "a".repeat(length) };
        write!(stream, "HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n{body}").is_ok()
    })
}

#[actix_web::test]
async fn answers_are_compressed_as_the_client_wants() {
    let text = answering("content-type: text/plain\r\netag: \"v1\"\r\naccept-ranges: bytes\r\n", 20_000);
    let lines = format!("compression = {{ min_size = '1KiB' }}\n{}", one_upstream(text.address, "", ""));
    let gateway = front(&config(&lines)).await;
    for (accept, coding) in [("gzip", "gzip"), ("br", "br"), ("zstd, gzip;q=0.9", "zstd"), ("gzip, br", "br")] {
        let answer = get(&gateway, "/u/x", &format!("accept-encoding: {accept}\r\n")).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, Some(coding)), "{accept}");
        assert_eq!((answer.header("vary"), answer.header("etag")), (Some("accept-encoding"), Some("W/\"v1\"")));
        assert_eq!((answer.header("content-length"), answer.header("accept-ranges")), (None, None));
        assert!(answer.whole && answer.body.len() < 2_000, "{accept}: {}", answer.body.len());
    }
    let plain = get(&gateway, "/u/x", "").await;
    assert_eq!((plain.header("content-encoding"), plain.header("etag")), (None, Some("\"v1\"")));
    assert_eq!((plain.header("vary"), plain.body.len()), (Some("accept-encoding"), 20_000));
    let head = raw(&gateway, "HEAD /u/x HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n").await;
    assert_eq!((head.header("content-length"), head.header("content-encoding")), (Some("20000"), None));

    for (headers, length) in [
        ("content-type: text/plain\r\n", 100),
        ("content-type: image/png\r\n", 20_000),
        ("content-type: text/plain\r\ncontent-encoding: br\r\n", 20_000),
        ("content-type: text/plain\r\ncache-control: no-transform\r\n", 20_000),
        ("content-type: text/event-stream\r\n", 20_000),
    ] {
        let upstream = answering(headers, length);
        let lines = format!("compression = {{ min_size = '1KiB' }}\n{}", one_upstream(upstream.address, "", ""));
        let answer = get(&front(&config(&lines)).await, "/u/x", "accept-encoding: gzip\r\n").await;
        assert_eq!((answer.body.len(), answer.whole), (length, true), "{headers}");
    }
    let lines = format!("compression = {{}}\n{}", one_upstream(text.address, "", "compression = false"));
    let answer = get(&front(&config(&lines)).await, "/u/x", "accept-encoding: gzip\r\n").await;
    assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None));
}

#[actix_web::test]
async fn a_compressed_stream_does_not_hold_back_what_has_come() {
    let upstream = Upstream::new(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_secs(3));
        stream.write_all(b"0\r\n\r\n").is_ok()
    });
    let lines = format!("compression = {{}}\n{}", one_upstream(upstream.address, "", ""));
    let front = front(&config(&lines)).await;
    let address = front.address;
    let early = actix_web::rt::task::spawn_blocking(move || {
        use std::io::Read as _;
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
        stream.write_all(b"GET /u/x HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n").unwrap();
        let mut seen = Vec::new();
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            seen.extend_from_slice(&piece[..count]);
        }
        seen
    });
    let early = early.await.unwrap();
    let head = early.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    assert!(String::from_utf8_lossy(&early[..head]).contains("content-encoding: gzip"));
    // A gzip header is ten bytes; what was said is behind it.
    assert!(early.len() - head > 20, "{:?}", &early[head..]);
}

#[actix_web::test]
async fn query_is_passed_on_with_its_body_and_tried_again() {
    let upstream = Upstream::new(|head, stream| {
        use std::io::Read as _;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").unwrap();
        stream.write_all(&body).is_ok()
    });
    let front = front(&config(&one_upstream(upstream.address, "", "methods = ['QUERY', 'GET']"))).await;
    let answer = raw(&front, "QUERY /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\na=b").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "a=b"));
    assert!(upstream.last_head().starts_with("QUERY /x HTTP/1.1"));
    let refused = raw(&front, "POST /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(refused.header("allow"), Some("GET, QUERY"));
}

#[test]
fn faults_of_shaping_are_told() {
    let lines = "compression = { codings = [] }\n\
         [[upstreams]]\nname = 'one'\ntargets = [{ url = 'http://x' }]\n\
         [[routes]]\nname = 'a'\npath = '/a'\n\
         [[routes]]\nname = 'b'\npath = '/b'\nupstream = 'one'\nsplit = [{ upstream = 'one', percent = 100 }]\n\
         [[routes]]\nname = 'c'\npath = '/c'\nsplit = [{ upstream = 'one', percent = 90 }, { upstream = 'auth', percent = 5 }]\nsticky = 'moon'\n\
         [[routes]]\nname = 'd'\npath = '/d'\nupstream = 'one'\nsticky = 'user'\nmirror = { upstream = 'two', percent = 0 }\n\
         request_schema = 'missing.json'\ndeprecated = { since = 'soon' }\n\
         rate_limit = [{ limit = '1/second' }, { limit = '1/minute', per = 'moon' }]\n\
         [[routes]]\nname = 'e'\npath = '/e'\nupstream = 'one'\nrate_limit = []\n";
    let faults = check(&config(lines));
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "gateway.compression.codings",
            "gateway.routes[0].upstream",
            "gateway.routes[1].split",
            "gateway.routes[2].sticky",
            "gateway.routes[2].split[1].upstream",
            "gateway.routes[2].split",
            "gateway.routes[3].rate_limit[1].per",
            "gateway.routes[3].mirror.percent",
            "gateway.routes[3].mirror.upstream",
            "gateway.routes[3].request_schema",
            "gateway.routes[3].deprecated.since",
            "gateway.routes[3].sticky",
            "gateway.routes[4].rate_limit",
        ]
    );
}
