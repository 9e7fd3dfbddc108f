//! Another configuration takes the place of the one that serves: what did not change goes on, what did begins anew.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::support::{Front, Upstream, config, front, get, one_upstream, token};

/// A second upstream `v` with its route, so that a configuration differs.
fn another(to: SocketAddr) -> String {
    format!(
        "[[upstreams]]\nname = 'v'\ntargets = [{{ url = 'http://{to}' }}]\n\
         [[routes]]\nname = 'v'\npath = '/v/{{*rest}}'\nupstream = 'v'\n"
    )
}

async fn reload(front: &Front, toml: &str) -> Vec<String> {
    let faults = front.gateway.reload(&config(toml)).await.err().unwrap_or_default();
    faults.into_iter().map(|fault| fault.key).collect()
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[actix_web::test]
async fn routes_come_and_go_without_a_restart() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let first = one_upstream(one.address, "", "");
    let front = front(&config(&first)).await;
    assert_eq!(get(&front, "/v/x", "").await.status, 404);
    assert!(reload(&front, &(first.clone() + &another(two.address))).await.is_empty());
    assert_eq!(get(&front, "/v/x", "").await.text(), "two");
    assert_eq!(get(&front, "/u/x", "").await.text(), "one");
    assert!(reload(&front, &another(two.address)).await.is_empty());
    assert_eq!(get(&front, "/u/x", "").await.status, 404);
}

#[actix_web::test]
async fn faults_change_nothing_and_are_all_told() {
    let one = Upstream::ok("one");
    let first = one_upstream(one.address, "", "");
    let front = front(&config(&first)).await;
    let wrong = first + "[[routes]]\nname = 'w'\npath = 'w'\nupstream = 'nobody'\n";
    assert_eq!(reload(&front, &wrong).await, ["gateway.routes[1].path", "gateway.routes[1].upstream"]);
    assert_eq!(get(&front, "/u/x", "").await.text(), "one");
}

#[actix_web::test]
async fn kept_connections_outlive_a_reload() {
    let one = Upstream::ok("one");
    let front = front(&config(&one_upstream(one.address, "", ""))).await;
    for toml in [
        one_upstream(one.address, "", "") + &another(one.address),
        // Another time limit makes another upstream, but its connections are good.
        one_upstream(one.address, "timeout = '3s'", ""),
    ] {
        assert_eq!(get(&front, "/u/x", "").await.status, 200);
        assert!(reload(&front, &toml).await.is_empty());
        assert_eq!(get(&front, "/u/x", "").await.status, 200);
    }
    assert_eq!(one.connections.load(Ordering::Relaxed), 1);
}

#[actix_web::test]
async fn the_connections_of_a_removed_target_are_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, open) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = open.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::Relaxed);
            let counted = counted.clone();
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).is_ok_and(|read| read > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
                counted.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    let front = front(&config(&one_upstream(address, "", ""))).await;
    assert_eq!(get(&front, "/u/x", "").await.status, 200);
    assert_eq!(open.load(Ordering::Relaxed), 1);
    assert!(reload(&front, &another(nobody())).await.is_empty());
    let since = Instant::now();
    while open.load(Ordering::Relaxed) > 0 {
        assert!(since.elapsed() < Duration::from_secs(10), "the connection is still open");
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
    }
}

#[actix_web::test]
async fn an_open_breaker_stays_open_unless_its_upstream_changed() {
    let gone = nobody();
    let broken = one_upstream(gone, "breaker = { failures = 1 }", "");
    let front = front(&config(&broken)).await;
    assert_eq!(get(&front, "/u/x", "").await.code(), "bad-gateway");
    assert_eq!(get(&front, "/u/x", "").await.code(), "circuit-open");
    assert!(reload(&front, &(broken + &another(gone))).await.is_empty());
    assert_eq!(get(&front, "/u/x", "").await.code(), "circuit-open");
    assert!(reload(&front, &one_upstream(gone, "breaker = { failures = 2 }", "")).await.is_empty());
    assert_eq!(get(&front, "/u/x", "").await.code(), "bad-gateway");
}

#[actix_web::test]
async fn what_was_ejected_stays_out_even_when_its_upstream_changed() {
    let (one, gone) = (Upstream::ok("one"), nobody());
    let both = |more: &str| {
        let outlier = "outlier = { consecutive_failures = 1 }\nretry = { attempts = 1 }";
        let one = one.address;
        format!(
            "[[upstreams]]\nname = 'u'\ntargets = [{{ url = 'http://{gone}' }}, {{ url = 'http://{one}' }}]\n{outlier}\n{more}\n\
             [[routes]]\nname = 'u'\npath = '/u/{{*rest}}'\nupstream = 'u'\n"
        )
    };
    let front = front(&config(&both(""))).await;
    assert_eq!(get(&front, "/u/x", "").await.status, 200);
    let bearer = format!("authorization: Bearer {}\r\n", token(1, &[], "gateway:read"));
    assert!(get(&front, "/admin/upstreams", &bearer).await.text().contains("\"ejected\":true"));
    assert!(reload(&front, &both("timeout = '3s'")).await.is_empty());
    let shown = get(&front, "/admin/upstreams", &bearer).await.text();
    assert!(shown.contains("\"ejected\":true"), "{shown}");
    assert!(shown.contains("\"requests\":1"), "{shown}");
}

#[actix_web::test]
async fn counts_go_on_unless_their_limit_changed() {
    let one = Upstream::ok("one");
    let limited =
        |limit: &str| one_upstream(one.address, "", &format!("rate_limit = {{ limit = '{limit}', per = 'ip' }}"));
    let front = front(&config(&limited("2/minute"))).await;
    assert_eq!(get(&front, "/u/x", "").await.status, 200);
    assert_eq!(get(&front, "/u/x", "").await.status, 200);
    // Another route comes before it, so that its place in the file is another.
    let behind = another(one.address) + &limited("2/minute");
    assert!(reload(&front, &behind).await.is_empty());
    assert_eq!(get(&front, "/u/x", "").await.status, 429);
    assert!(reload(&front, &limited("3/minute")).await.is_empty());
    assert_eq!(get(&front, "/u/x", "").await.status, 200);
}

#[actix_web::test]
async fn a_request_under_way_ends_as_it_began() {
    let slow = Upstream::new(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsl").unwrap();
        std::thread::sleep(Duration::from_millis(600));
        stream.write_all(b"ow").is_ok()
    });
    let front = front(&config(&one_upstream(slow.address, "", ""))).await;
    let asking = get(&front, "/u/x", "");
    let changing = async {
        actix_web::rt::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(slow.requests(), 1);
        assert!(reload(&front, &another(slow.address)).await.is_empty());
        assert_eq!(get(&front, "/u/x", "").await.status, 404);
    };
    let (answer, ()) = futures_util::join!(asking, changing);
    assert_eq!((answer.status, answer.text().as_str(), answer.whole), (200, "slow", true));
}

#[actix_web::test]
async fn health_checks_follow_their_upstreams() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let checked = |to: SocketAddr| one_upstream(to, "health = { path = '/health', interval = '20ms' }", "");
    let front = front(&config(&checked(one.address))).await;
    actix_web::rt::time::sleep(Duration::from_millis(200)).await;
    assert!(one.requests() > 2);
    assert!(reload(&front, &checked(two.address)).await.is_empty());
    actix_web::rt::time::sleep(Duration::from_millis(200)).await;
    let ended_at = one.requests();
    assert!(two.requests() > 2);
    actix_web::rt::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(one.requests(), ended_at);
}
