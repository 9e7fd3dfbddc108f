//! What goes through: paths, headers, bodies.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::Ordering,
    time::Duration,
};

use super::support::*;

#[actix_web::test]
async fn roles_fall_through_and_all_else_has_no_route() {
    let front = front(&config("")).await;
    assert_eq!(get(&front, "/auth/me?x=1", "").await.text(), "inner GET /auth/me?x=1 0");
    assert_eq!(get(&front, "//auth/./a/../me", "").await.text(), "inner GET /auth/me 0");
    assert_eq!(get(&front, "/api/data/aggregate", "").await.text(), "inner GET /data/aggregate 0");
    assert_eq!(get(&front, "/health", "").await.status, 200);
    for path in ["/data/aggregate", "/authx", "/internal/keys", "/"] {
        let answer = get(&front, path, "").await;
        assert_eq!((answer.status, answer.code()), (404, "no-route"), "{path}");
    }
    let posted = raw(&front, "POST /auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody").await;
    assert_eq!(posted.text(), "inner POST /auth/login 4");
}

#[actix_web::test]
async fn ambiguous_paths_and_hosts_are_refused_and_closed() {
    let upstream = Upstream::ok("x");
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    for path in ["/u/a%2fb", "/u/a%5Cb", "/u/%00", "/u/a%252fb", "/u/%zz", "/u/..;/x"] {
        let answer = get(&front, path, "").await;
        assert_eq!((answer.status, answer.code()), (400, "malformed-request"), "{path}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    let two_hosts = "GET http://other.example/u/x HTTP/1.1\r\nhost: front.example\r\n\r\n";
    assert_eq!(raw(&front, two_hosts).await.status, 400);
    assert_eq!(get(&front, "/u/x", "connection: upgrade\r\nupgrade: websocket\r\n").await.status, 400);
    for framing in [
        "content-length: 1\r\ntransfer-encoding: chunked\r\n",
        "content-length: 1\r\ncontent-length: 1\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "content-length: +1\r\n",
    ] {
        let request = format!("POST /u/x HTTP/1.1\r\nhost: a\r\n{framing}\r\n1\r\nx\r\n0\r\n\r\n");
        assert_eq!(raw(&front, request).await.status, 400, "{framing}");
    }
    assert_eq!(upstream.requests(), 0);
}

#[actix_web::test]
async fn headers_are_cleaned_and_set() {
    let upstream = Upstream::new(|_, stream| {
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-own\r\nx-own: 1\r\nx-kept: 1\r\nserver: s\r\n\r\nok";
        stream.write_all(answer.as_bytes()).is_ok()
    });
    let route = "auth = 'optional'\nrequest_headers = { set = { 'x-from' = 'r-{rest}' }, remove = ['x-debug'] }\n\
                 response_headers = { set = { 'x-to' = '{rest}' }, remove = ['server'] }";
    let front = front(&config(&one_upstream(upstream.address, "", route))).await;
    let sent = "connection: close, X-Secret\r\nx-secret: 1\r\nx-user-id: 0\r\nX_User_Roles: admin\r\nx-user_id: 1\r\n\
                x-api-key: vk\r\nx-forwarded-for: 1.1.1.1\r\nforwarded: for=1.1.1.1\r\nx-debug: 1\r\nx-mine: 1\r\nte: trailers\r\n";
    let bearer = format!("{sent}authorization: Bearer {}\r\n", token(9, &["a", "b"], "x y"));
    let answer = get(&front, "/u/a?q=%2F", &bearer).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!((answer.header("x-own"), answer.header("x-kept"), answer.header("server")), (None, Some("1"), None));
    assert_eq!((answer.header("x-to"), answer.header("x-content-type-options")), (Some("a"), Some("nosniff")));
    let head = upstream.last_head();
    assert!(head.starts_with("GET /a?q=%2F HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    for gone in ["x-secret", "x_user_roles", "x-user_id", "x-api-key", "1.1.1.1", "x-debug", "te:", "front.example:"] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
    let host = format!("\r\nhost: {}\r\n", upstream.address);
    let user = "\r\nx-user-id: 00000000-0000-0000-0000-000000000009\r\n";
    for there in [
        host.as_str(),
        user,
        "\r\nx-user-email: ann@example.com\r\n",
        "\r\nx-user-roles: a,b\r\n",
        "\r\nx-user-scopes: x y\r\n",
        "\r\nx-forwarded-for: 127.0.0.1\r\n",
        "\r\nx-forwarded-proto: http\r\n",
        "\r\nx-forwarded-host: front.example\r\n",
        "\r\nx-forwarded-prefix: /u\r\n",
        "\r\nvia: 1.1 vestibule\r\n",
        "\r\nx-from: r-a\r\n",
        "\r\nx-mine: 1\r\n",
        "\r\ntraceparent: 00-",
    ] {
        assert!(head.contains(there), "{there} not in {head}");
    }
}

#[actix_web::test]
async fn connections_are_kept_and_replaced_when_they_were_closed() {
    let upstream = Upstream::ok("hello");
    let front_one = front(&config(&one_upstream(upstream.address, "", ""))).await;
    for _ in 0..5 {
        assert_eq!(get(&front_one, "/u/x", "").await.text(), "hello");
    }
    assert_eq!(upstream.connections.load(Ordering::Relaxed), 1);

    // This one closes each connection after its first answer, without saying so.
    let closing = Upstream::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        false
    });
    let front_two = front(&config(&one_upstream(closing.address, "", ""))).await;
    for _ in 0..5 {
        assert_eq!(get(&front_two, "/u/x", "").await.text(), "ok");
    }
}

#[actix_web::test]
async fn bodies_stream_both_ways() {
    let upstream = Upstream::new(|head, stream| {
        let length: usize = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap()))
            .unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        for part in body.chunks(50_000) {
            write!(stream, "{:x}\r\n", part.len()).unwrap();
            stream.write_all(part).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").is_ok()
    });
    let front = front(&config(&one_upstream(upstream.address, "", ""))).await;
    let mut request = b"PUT /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 700000\r\n\r\n".to_vec();
    request.resize(request.len() + 700_000, b'x');
    let answer = raw(&front, request).await;
    assert!(answer.status == 200 && answer.whole);
    assert_eq!(answer.text().matches('x').count(), 700_000);
    assert_eq!(raw(&front, "HEAD /u/x HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
}

#[actix_web::test]
async fn bodies_beyond_the_limit_are_refused() {
    let upstream = Upstream::ok("x");
    let front = front(&config(&one_upstream(upstream.address, "", "body_limit = '10B'"))).await;
    let announced = raw(&front, "POST /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n").await;
    assert_eq!((announced.status, announced.code()), (413, "body-too-large"));
    assert_eq!(upstream.requests(), 0);
    let stuck = Upstream::new(|_, _| true);
    let front = super::support::front(&config(&one_upstream(stuck.address, "", "body_limit = '10B'"))).await;
    let streamed =
        raw(&front, "POST /u/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nb\r\nhello world\r\n").await;
    assert_eq!((streamed.status, streamed.code()), (413, "body-too-large"));
}

#[actix_web::test]
async fn a_client_that_goes_away_takes_the_call_with_it() {
    let (gone, seen) = std::sync::mpsc::channel();
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::new(move |_, stream| {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let left = stream.read(&mut [0]);
        gone.lock()
            .unwrap()
            .send(matches!(left, Ok(0)) || left.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset))
            .unwrap();
        false
    });
    let front = front(&config(&one_upstream(upstream.address, "timeout = '9s'", ""))).await;
    let address = front.address;
    let outcome = actix_web::rt::task::spawn_blocking(move || {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET /u/x HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        std::thread::sleep(Duration::from_millis(300));
        drop(client);
        seen.recv_timeout(Duration::from_secs(2))
    });
    assert_eq!(outcome.await.unwrap(), Ok(true), "the upstream's connection is closed within a second or two");
}
