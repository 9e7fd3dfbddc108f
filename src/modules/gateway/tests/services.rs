//! Targets by name: what records say of weights and priorities, and what becomes of names that come with a reload.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use actix_web::rt::time::sleep;

use super::support::*;

const A: u16 = 1;
const SRV: u16 = 33;

/// A name server with the records of a few names.
struct NameServer {
    address: SocketAddr,
    records: Arc<Mutex<Zone>>,
}

/// Data of records, by name and type.
type Zone = HashMap<(String, u16), Vec<Vec<u8>>>;

impl NameServer {
    /// Answers each question after this time.
    fn start(pause: Duration) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let records: Arc<Mutex<Zone>> = Arc::default();
        let known = records.clone();
        thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut packet) {
                thread::sleep(pause);
                let reply = reply(&packet[..length], &known.lock().unwrap());
                let _ = socket.send_to(&reply, peer);
            }
        });
        Self { address, records }
    }

    /// Says where a host is.
    fn host(&self, name: &str) {
        let here = Ipv4Addr::LOCALHOST.octets().to_vec();
        self.records.lock().unwrap().insert((name.to_owned(), A), vec![here]);
    }

    /// Says where a service is: priority, weight, port and host of each place.
    fn service(&self, name: &str, places: &[(u16, u16, u16, &str)]) {
        let record = |(priority, weight, port, host): &(u16, u16, u16, &str)| {
            let mut record: Vec<u8> = [*priority, *weight, *port].iter().flat_map(|part| part.to_be_bytes()).collect();
            for label in host.split('.').filter(|label| !label.is_empty()) {
                record.push(u8::try_from(label.len()).unwrap());
                record.extend(label.as_bytes());
            }
            record.push(0);
            record
        };
        let records = places.iter().map(record).collect();
        self.records.lock().unwrap().insert((name.to_owned(), SRV), records);
    }

    /// A gateway's upstream `u` with these targets, looked up here.
    fn upstream(&self, targets: &str, more: &str) -> String {
        format!(
            "dns = {{ servers = ['{}'], min_ttl = '100ms', max_ttl = '100ms' }}\n\
             [[upstreams]]\nname = 'u'\ntargets = [{targets}]\n{more}\n\
             [[routes]]\nname = 'u'\npath = '/u/{{*rest}}'\nupstream = 'u'\nstrip_prefix = '/u'\n",
            self.address
        )
    }
}

/// The answer to a question (RFC 1035 §4); what is not known is not there.
fn reply(query: &[u8], known: &Zone) -> Vec<u8> {
    let (mut place, mut name) = (12, String::new());
    while query[place] != 0 {
        let end = place + 1 + usize::from(query[place]);
        name.push_str(std::str::from_utf8(&query[place + 1..end]).unwrap());
        name.push('.');
        place = end;
    }
    let kind = u16::from_be_bytes([query[place + 1], query[place + 2]]);
    let answers = known.get(&(name.to_ascii_lowercase(), kind)).cloned().unwrap_or_default();
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1]);
    reply.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
    reply.extend([0, 0, 0, 0]);
    reply.extend(&query[12..place + 5]);
    for answer in answers {
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 1]);
        reply.extend(u16::try_from(answer.len()).unwrap().to_be_bytes());
        reply.extend(answer);
    }
    reply
}

/// How many of so many requests each of these answered.
async fn shares<const N: usize>(front: &Front, count: usize, names: [&str; N]) -> [usize; N] {
    let mut shares = [0; N];
    for _ in 0..count {
        let answer = get(front, "/u/x", "").await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        shares[names.iter().position(|name| *name == answer.text()).unwrap()] += 1;
    }
    shares
}

#[actix_web::test]
async fn records_say_who_gets_how_much_and_who_waits() {
    let (one, two, spare) = (Upstream::ok("one"), Upstream::ok("two"), Upstream::ok("spare"));
    let names = NameServer::start(Duration::ZERO);
    for host in ["one.test.", "two.test.", "spare.test."] {
        names.host(host);
    }
    let place = |priority, weight, upstream: &Upstream, host| (priority, weight, upstream.address.port(), host);
    let service = "_http._tcp.shop.test.";
    let spare = place(20, 1, &spare, "spare.test");
    names.service(service, &[spare, place(10, 30, &one, "one.test"), place(10, 10, &two, "two.test")]);
    let front = front(&config(&names.upstream(&format!("{{ srv = '{service}' }}"), ""))).await;
    assert_eq!(shares(&front, 40, ["one", "two", "spare"]).await, [30, 10, 0]);

    let becomes = async |places: &[(u16, u16, u16, &str)], expected: [usize; 3]| {
        names.service(service, places);
        for _ in 0..50 {
            if shares(&front, 40, ["one", "two", "spare"]).await == expected {
                return true;
            }
            sleep(Duration::from_millis(100)).await;
        }
        false
    };
    let even = [spare, place(10, 0, &one, "one.test"), place(10, 0, &two, "two.test")];
    assert!(becomes(&even, [20, 20, 0]).await, "weights follow the records");
    let without_one = [spare, place(10, 1, &two, "two.test"), place(10, 9, &one, "nowhere.test")];
    assert!(becomes(&without_one, [0, 40, 0]).await, "a host without an address is left out");
    assert!(becomes(&[spare], [0, 0, 40]).await, "the reserve is asked when it is all there is");
    assert!(becomes(&[place(5, 1, &one, "one.test"), spare], [40, 0, 0]).await, "and no longer then");
}

#[actix_web::test]
async fn addresses_of_a_name_share_evenly() {
    let (one, other) = (Upstream::ok("one"), Upstream::ok("other"));
    let names = NameServer::start(Duration::ZERO);
    names.host("one.test.");
    let target = |upstream: &Upstream| format!("{{ dns = 'http://one.test.:{}' }}", upstream.address.port());
    let lines = names.upstream(&format!("{}, {}", target(&one), target(&other)), "");
    let front = front(&config(&lines)).await;
    assert_eq!(shares(&front, 40, ["one", "other"]).await, [20, 20]);
}

#[actix_web::test]
async fn the_reserve_is_asked_when_the_best_are_out() {
    let spare = Upstream::ok("spare");
    let names = NameServer::start(Duration::ZERO);
    names.host("one.test.");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let places = [(1, 1, nobody, "one.test"), (2, 1, spare.address.port(), "one.test")];
    names.service("_http._tcp.shop.test.", &places);
    let more =
        "outlier = { consecutive_failures = 1, ejection = '60s', max_ejected_percent = 100 }\npanic_percent = 60";
    let front = front(&config(&names.upstream("{ srv = '_http._tcp.shop.test.' }", more))).await;
    assert_eq!(get(&front, "/u/x", "").await.status, 502, "the best is asked first");
    for _ in 0..6 {
        assert_eq!(get(&front, "/u/x", "").await.text(), "spare", "before those that are out are tried again");
    }
}

#[actix_web::test]
async fn a_name_that_comes_with_a_reload_is_known_before_the_first_request() {
    let upstream = Upstream::ok("by name");
    let names = NameServer::start(Duration::from_millis(200));
    names.host("shop.test.");
    let front = front(&config("")).await;
    let lines = names.upstream(&format!("{{ dns = 'http://shop.test.:{}' }}", upstream.address.port()), "");
    front.gateway.reload(&config(&lines)).await.unwrap();
    let answer = get(&front, "/u/x", "").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "by name"), "{}", answer.head);
    // One that is unknown keeps nothing from being taken, and what was known needs no lookup.
    let more = lines.clone() + "[[upstreams]]\nname = 'v'\ntargets = [{ dns = 'http://nowhere.test.:80' }]\n";
    front.gateway.reload(&config(&more)).await.unwrap();
    assert_eq!(get(&front, "/u/x", "").await.status, 200);
}
