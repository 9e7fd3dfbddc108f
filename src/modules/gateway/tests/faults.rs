//! What happens when upstreams misbehave.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::support::*;

/// An address where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[actix_web::test]
async fn refused_reset_garbage_and_double_framing_are_502() {
    let reset = Upstream::new(|_, _| false);
    let garbage = Upstream::new(|_, stream| stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").is_ok());
    let double = Upstream::new(|_, stream| {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
        stream.write_all(answer).is_ok()
    });
    for to in [nowhere(), reset.address, garbage.address, double.address] {
        let front = front(&config(&one_upstream(to, "", ""))).await;
        let answer = get(&front, "/u/x", "").await;
        assert_eq!((answer.status, answer.code()), (502, "bad-gateway"));
    }
}

#[actix_web::test]
async fn a_hanging_upstream_is_504_then_the_breaker_answers_at_once() {
    let hanging = Upstream::new(|_, _| true);
    let upstream = "timeout = '200ms'\nbreaker = { failures = 2, window = '30s', open_for = '600ms' }";
    let front = front(&config(&one_upstream(hanging.address, upstream, ""))).await;
    for _ in 0..2 {
        let answer = get(&front, "/u/x", "").await;
        assert_eq!((answer.status, answer.code()), (504, "upstream-timeout"));
    }
    let started = Instant::now();
    let answer = get(&front, "/u/x", "").await;
    assert_eq!((answer.status, answer.code(), answer.header("retry-after")), (503, "circuit-open", Some("1")));
    assert!(started.elapsed() < Duration::from_millis(150));
    assert_eq!(hanging.requests(), 2);
    actix_web::rt::time::sleep(Duration::from_millis(700)).await;
    // One probe only.
    let (one, two) = futures_util::join!(get(&front, "/u/x", ""), get(&front, "/u/x", ""));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!((statuses, hanging.requests()), ([503, 504], 3));
}

#[actix_web::test]
async fn a_dripping_upstream_meets_the_routes_deadline() {
    let drip = Upstream::new(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").unwrap();
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
        false
    });
    let front = front(&config(&one_upstream(drip.address, "", "timeout = '500ms'"))).await;
    let started = Instant::now();
    let answer = get(&front, "/u/x", "").await;
    assert!(answer.status == 200 && !answer.whole);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[actix_web::test]
async fn an_answer_that_breaks_off_or_stalls_is_cut_and_not_reused() {
    let breaking = Upstream::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        false
    });
    let front_one = front(&config(&one_upstream(breaking.address, "", ""))).await;
    for _ in 0..2 {
        // When the end comes with the beginning, the client may not even see the head.
        assert!(!get(&front_one, "/u/x", "").await.whole);
    }
    assert_eq!(breaking.connections.load(Ordering::Relaxed), 2);

    let stalling =
        Upstream::new(|_, stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").is_ok());
    let front_two = front(&config(&one_upstream(stalling.address, "idle_timeout = '300ms'", ""))).await;
    let started = Instant::now();
    let answer = get(&front_two, "/u/x", "").await;
    assert!(!answer.whole && started.elapsed() < Duration::from_secs(2));
}

#[actix_web::test]
async fn a_request_body_that_stalls_is_408() {
    let upstream = Upstream::new(|_, _| true);
    let front = front(&config(&one_upstream(upstream.address, "idle_timeout = '300ms'\ntimeout = '200ms'", ""))).await;
    let answer = raw(&front, "POST /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").await;
    assert_eq!((answer.status, answer.code()), (408, "request-timeout"));
}

#[actix_web::test]
async fn retries_stay_within_attempts_and_spare_posts() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let flaky = Upstream::new(move |_, stream| {
        let ok = counted.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        let status = if ok { "200 OK" } else { "503 Busy" };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").is_ok()
    });
    let upstream = "retry = { attempts = 1, backoff = '1ms' }\nbreaker = { failures = 100 }";
    let front_one = front(&config(&one_upstream(flaky.address, upstream, ""))).await;
    assert_eq!((get(&front_one, "/u/x", "").await.status, calls.load(Ordering::Relaxed)), (200, 2));

    let reset = Upstream::new(|head, stream| {
        let mut body = [0; 2];
        let _ = !head.starts_with("GET") && stream.read_exact(&mut body).is_ok();
        false
    });
    let front_two = front(&config(&one_upstream(reset.address, upstream, ""))).await;
    let post = "POST /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n";
    assert_eq!(raw(&front_two, format!("{post}\r\nhi")).await.status, 502);
    assert_eq!(reset.requests(), 1, "a POST that was sent is not sent again");
    assert_eq!(get(&front_two, "/u/x", "").await.status, 502);
    assert_eq!(reset.requests(), 3);
}

#[actix_web::test]
async fn a_refused_connection_goes_to_another_target_whatever_the_method() {
    let good = Upstream::new(|_, stream| {
        let _ = stream.read_exact(&mut [0; 2]);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_ok()
    });
    let lines = format!(
        "[[upstreams]]\nname = 'u'\ntargets = [{{ url = 'http://{}' }}, {{ url = 'http://{}' }}]\n\
         retry = {{ attempts = 1, backoff = '1ms' }}\noutlier = {{ consecutive_failures = 2, ejection = '60s' }}\n\
         breaker = {{ failures = 100 }}\n[[routes]]\nname = 'u'\npath = '/u'\nupstream = 'u'",
        nowhere(),
        good.address
    );
    let front = front(&config(&lines)).await;
    for _ in 0..6 {
        let answer = raw(&front, "POST /u HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi").await;
        assert_eq!(answer.status, 200);
    }
    let state =
        get(&front, "/admin/upstreams", &format!("authorization: Bearer {}\r\n", token(1, &[], "gateway:read"))).await;
    let state: serde_json::Value = serde_json::from_slice(&state.body).unwrap();
    assert_eq!(state["items"][0]["targets"][0]["ejected"], true);
    assert_eq!(state["items"][0]["targets"][0]["failures"], 2);
    assert_eq!(get(&front, "/admin/upstreams", "").await.status, 401);
}

#[actix_web::test]
async fn active_checks_take_a_target_out_and_bring_it_back() {
    let well = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = well.clone();
    let upstream = Upstream::new(move |head, stream| {
        let ok = !head.starts_with("GET /health") || asked.load(Ordering::Relaxed);
        write!(stream, "HTTP/1.1 {} X\r\ncontent-length: 0\r\n\r\n", if ok { 200 } else { 500 }).is_ok()
    });
    let health =
        "health = { path = '/health', interval = '50ms', timeout = '1s', healthy_after = 2, unhealthy_after = 2 }";
    let front = front(&config(&one_upstream(upstream.address, health, ""))).await;
    actix_web::rt::time::sleep(Duration::from_millis(400)).await;
    let answer = get(&front, "/u/x", "").await;
    assert_eq!((answer.status, answer.code()), (503, "no-healthy-target"));
    well.store(true, Ordering::Relaxed);
    actix_web::rt::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(get(&front, "/u/x", "").await.status, 200);
}

#[actix_web::test]
async fn more_in_flight_than_allowed_are_refused_and_places_come_back() {
    let slow = Upstream::new(|_, stream| {
        thread::sleep(Duration::from_millis(400));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_ok()
    });
    let front = front(&config(&one_upstream(slow.address, "max_in_flight = 1", ""))).await;
    let (one, two) = futures_util::join!(get(&front, "/u/x", ""), get(&front, "/u/x", ""));
    let refused = if one.status == 503 { &one } else { &two };
    assert_eq!((one.status + two.status, refused.code()), (703, "overloaded"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(get(&front, "/u/x", "").await.status, 200);
    // A connection that is kept open is not in flight.
    let idle = TcpStream::connect(front.address).unwrap();
    assert_eq!(get(&front, "/u/x", "").await.status, 200);
    drop(idle);
}
