//! Targets that are slow, away, back again, or known by name.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use actix_web::rt::time::sleep;

use super::support::*;
use crate::{
    kernel::{Clock as _, SystemClock},
    modules::gateway::check,
};

fn upstream_of(targets: &[SocketAddr], upstream: &str, route: &str) -> String {
    let targets: Vec<String> = targets.iter().map(|target| format!("{{ url = 'http://{target}' }}")).collect();
    format!(
        "[[upstreams]]\nname = 'u'\ntargets = [{}]\n{upstream}\n\
         [[routes]]\nname = 'u'\npath = '/u/{{*rest}}'\nupstream = 'u'\nstrip_prefix = '/u'\n{route}\n",
        targets.join(", ")
    )
}

/// Answers `200` after this time.
fn slow(pause: Duration) -> Upstream {
    Upstream::new(move |_, stream| {
        use std::io::Write as _;
        thread::sleep(pause);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow").is_ok()
    })
}

#[actix_web::test]
async fn a_slow_target_is_ejected() {
    let (quick, tardy) = (Upstream::ok("quick"), slow(Duration::from_millis(60)));
    let outlier = "outlier = { consecutive_failures = 2, latency = '30ms', ejection = '30s' }";
    let front = front(&config(&upstream_of(&[quick.address, tardy.address], outlier, ""))).await;
    for _ in 0..12 {
        assert_eq!(get(&front, "/u/x", "").await.status, 200);
    }
    assert_eq!(tardy.requests(), 2);
}

#[actix_web::test]
async fn in_panic_all_targets_are_asked() {
    let well = Upstream::ok("well");
    let sick = Upstream::new(|head, stream| {
        use std::io::Write as _;
        let status = if head.starts_with("GET /health") { "500 No" } else { "200 OK" };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").is_ok()
    });
    let health = "health = { path = '/health', interval = '20ms', unhealthy_after = 1 }";
    for (panic, expected) in [("", false), ("\npanic_percent = 60", true)] {
        let lines = upstream_of(&[well.address, sick.address], &format!("{health}{panic}"), "");
        let front = front(&config(&lines)).await;
        sleep(Duration::from_millis(300)).await;
        sick.heads.lock().unwrap().clear();
        for _ in 0..6 {
            assert_eq!(get(&front, "/u/x", "").await.status, 200);
        }
        let asked = sick.heads.lock().unwrap().iter().any(|head| head.starts_with("GET /x"));
        assert_eq!(asked, expected, "{panic}");
    }
}

#[actix_web::test]
async fn a_target_that_came_back_is_spared_at_first() {
    let is_well = Arc::new(AtomicBool::new(false));
    let steady = Upstream::ok("steady");
    let told = is_well.clone();
    let back = Upstream::new(move |_, stream| {
        use std::io::Write as _;
        let status = if told.load(Ordering::Relaxed) { "200 OK" } else { "500 No" };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").is_ok()
    });
    let lines =
        "health = { path = '/health', interval = '20ms', unhealthy_after = 1, healthy_after = 1 }\nslow_start = '60s'";
    let front = front(&config(&upstream_of(&[steady.address, back.address], lines, ""))).await;
    sleep(Duration::from_millis(200)).await;
    is_well.store(true, Ordering::Relaxed);
    sleep(Duration::from_millis(200)).await;
    back.heads.lock().unwrap().clear();
    for _ in 0..100 {
        assert_eq!(get(&front, "/u/x", "").await.status, 200);
    }
    let asked = back.heads.lock().unwrap().iter().filter(|head| head.starts_with("GET /x")).count();
    assert!(asked < 25, "a tenth of its half: {asked}");
}

#[actix_web::test]
async fn a_hedge_answers_for_a_slow_target() {
    let (quick, tardy) = (Upstream::ok("quick"), slow(Duration::from_millis(1500)));
    let hedge = "hedge = { after = '50ms' }";
    let lines = upstream_of(&[tardy.address, quick.address], hedge, "");
    let gateway = front(&config(&lines)).await;
    let started = Instant::now();
    assert_eq!(get(&gateway, "/u/x", "").await.text(), "quick");
    assert!(started.elapsed() < Duration::from_millis(1200), "{:?}", started.elapsed());
    assert_eq!((tardy.requests(), quick.requests()), (1, 1));
    // What may change something, or has a body, is asked once.
    let mut asked = 0;
    for method in ["PUT", "POST"] {
        let request = format!("{method} /u/x HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        raw(&gateway, request).await;
        asked += 1;
        assert_eq!(tardy.requests() + quick.requests(), 2 + asked, "{method}");
    }
    // The budget's floor is three; after it one waits.
    let lines = upstream_of(&[tardy.address], "hedge = { after = '10ms', max = 3 }", "");
    let alone = front(&config(&lines)).await;
    assert_eq!(get(&alone, "/u/x", "").await.text(), "slow", "there is nobody else to ask");
}

#[actix_web::test]
async fn an_adaptive_cap_refuses_what_would_only_wait() {
    let lines = upstream_of(&[slow(Duration::from_millis(200)).address], "max_in_flight = 'adaptive'", "");
    let front = Arc::new(front(&config(&lines)).await);
    let calls = (0..60).map(|_| {
        let front = front.clone();
        async move { get(&front, "/u/x", "").await }
    });
    let answers = futures_util::future::join_all(calls).await;
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.code() == "overloaded").count();
    assert!(passed >= 20 && refused > 0 && passed + refused == 60, "{passed} {refused}");
}

#[actix_web::test]
async fn a_deadline_is_passed_on_and_cut() {
    let upstream = Upstream::ok("x");
    let gateway = front(&config(&one_upstream(upstream.address, "", "timeout = '5s'"))).await;
    let said = |upstream: &Upstream| {
        let head = upstream.last_head();
        let line = head.lines().find_map(|line| line.strip_prefix("x-request-deadline: ")).map(str::to_owned);
        line.map(|line| chrono::DateTime::parse_from_rfc3339(&line).unwrap().to_utc())
    };
    get(&gateway, "/u/x", "").await;
    let left = said(&upstream).unwrap() - SystemClock.now();
    assert!((3..=5).contains(&left.num_seconds()), "{left}");
    // Nobody is trusted here: what a client says is dropped.
    get(&gateway, "/u/x", "x-request-deadline: 2001-01-01T00:00:00Z\r\n").await;
    assert!(said(&upstream).unwrap() > SystemClock.now());
    let without = front(&config(&one_upstream(upstream.address, "", ""))).await;
    get(&without, "/u/x", "x_request_deadline: 2001-01-01T00:00:00Z\r\n").await;
    assert_eq!(said(&upstream), None);
    assert!(!upstream.last_head().contains("2001"));
}

/// A name server that knows one name's addresses, and a service at them.
struct NameServer {
    address: SocketAddr,
    known: Arc<Mutex<Vec<Ipv4Addr>>>,
    answers: Arc<AtomicBool>,
}

impl NameServer {
    fn start(known: &[Ipv4Addr], port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let (known, answers) = (Arc::new(Mutex::new(known.to_vec())), Arc::new(AtomicBool::new(true)));
        let (read, answering) = (known.clone(), answers.clone());
        thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut packet) {
                if answering.load(Ordering::Relaxed) {
                    let reply = reply(&packet[..length], &read.lock().unwrap(), port);
                    let _ = socket.send_to(&reply, peer);
                }
            }
        });
        Self { address, known, answers }
    }
}

/// The answer to a question (RFC 1035 §4): addresses for A, one place for SRV, nothing else; each holds a second.
fn reply(query: &[u8], known: &[Ipv4Addr], port: u16) -> Vec<u8> {
    let name_end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let kind = u16::from_be_bytes([query[name_end], query[name_end + 1]]);
    let mut answers = Vec::new();
    let head = |kind: u16, length: u16| {
        let mut record = vec![0xc0, 12];
        record.extend(kind.to_be_bytes());
        record.extend([0, 1, 0, 0, 0, 1]);
        record.extend(length.to_be_bytes());
        record
    };
    match kind {
        1 => answers.extend(known.iter().map(|address| [head(1, 4), address.octets().to_vec()].concat())),
        33 => {
            let host = b"\x04shop\x04test\x00";
            let mut place = vec![0, 1, 0, 1];
            place.extend(port.to_be_bytes());
            place.extend(host);
            answers.push([head(33, u16::try_from(place.len()).unwrap()), place].concat());
        }
        _ => {}
    }
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1]);
    reply.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
    reply.extend([0, 0, 0, 0]);
    reply.extend(&query[12..name_end + 4]);
    reply.extend(answers.concat());
    reply
}

/// Two upstreams at one port of different loopback addresses.
fn neighbours() -> (Upstream, Upstream, u16) {
    for _ in 0..50 {
        let one = Upstream::ok("one");
        let other = Upstream::at((Ipv4Addr::new(127, 0, 0, 77), one.address.port()).into(), "other");
        if let Some(other) = other {
            let port = one.address.port();
            return (one, other, port);
        }
    }
    panic!("no port is free at both addresses");
}

#[actix_web::test]
async fn targets_by_name_follow_the_name_server() {
    let (one, other, port) = neighbours();
    let (here, there) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 77));
    for target in [format!("dns = 'http://shop.test.:{port}'"), "srv = '_http._tcp.shop.test.'".to_owned()] {
        let names = NameServer::start(&[here], port);
        let lines = format!(
            "dns = {{ servers = ['{}'], min_ttl = '100ms', max_ttl = '100ms' }}\n\
             [[upstreams]]\nname = 'u'\ntargets = [{{ {target} }}]\n\
             [[routes]]\nname = 'u'\npath = '/u/{{*rest}}'\nupstream = 'u'\nstrip_prefix = '/u'\n",
            names.address
        );
        let front = front(&config(&lines)).await;
        let all = async |expected: &'static [&'static str]| {
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..8 {
                let answer = get(&front, "/u/x", "").await;
                assert_eq!(answer.status, 200, "{}", answer.head);
                seen.insert(answer.text());
            }
            seen.iter().eq(expected)
        };
        let comes = async |expected: &'static [&'static str]| {
            for _ in 0..60 {
                if all(expected).await {
                    return true;
                }
                sleep(Duration::from_millis(100)).await;
            }
            false
        };
        assert!(all(&["one"]).await, "it is known before the first request");
        assert!(one.last_head().contains("host: shop.test"), "{}", one.last_head());
        names.known.lock().unwrap().push(there);
        assert!(comes(&["one", "other"]).await, "{target}: a new address is found");
        *names.known.lock().unwrap() = vec![there];
        assert!(comes(&["other"]).await, "{target}: one that is gone is left");
        names.answers.store(false, Ordering::Relaxed);
        sleep(Duration::from_millis(1500)).await;
        assert!(all(&["other"]).await, "{target}: without a name server what was known goes on");
    }
    assert!(other.requests() > 0 && IpAddr::from(there) == other.address.ip());
}

#[test]
fn faults_of_targets_are_told() {
    let lines = "[[upstreams]]\nname = 'one'\ntargets = [{ url = 'http://x', dns = 'http://y' }, {}, { srv = 'shop.test' }, { dns = 'shop' }]\n\
         [[upstreams]]\nname = 'two'\ntargets = [{ url = 'http://x' }]\nmax_in_flight = 0\npanic_percent = 101\nslow_start = '0s'\n\
         hedge = { after = '0s', max = 4 }\n";
    let faults = check(&config(lines));
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "gateway.upstreams[0].targets[0]",
            "gateway.upstreams[0].targets[1].url",
            "gateway.upstreams[0].targets[2].srv",
            "gateway.upstreams[0].targets[3].dns",
            "gateway.upstreams[1].max_in_flight",
            "gateway.upstreams[1].slow_start",
            "gateway.upstreams[1].hedge.max",
            "gateway.upstreams[1].hedge.after",
            "gateway.upstreams[1].panic_percent",
        ]
    );
}
