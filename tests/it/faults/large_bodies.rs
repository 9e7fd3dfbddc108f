//! Bodies far larger than memory should be: they pass as they come, either way, in constant memory.
//!
//! `VESTIBULE_TEST_BODY_MIB` says how large they are; without it half a gigabyte.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use crate::support::TestApp;

/// What the process may hold beyond what it held before, in KiB.
const MOST_GROWTH: u64 = 48 << 10;

fn body_bytes() -> u64 {
    let mebibytes = std::env::var_os("VESTIBULE_TEST_BODY_MIB").and_then(|text| text.to_str()?.parse::<u64>().ok());
    mebibytes.unwrap_or(512) << 20
}

/// The most memory that a process ever held, in KiB.
fn peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("kilobytes")
}

/// Reads to the end of a head; gives what came of the body with it.
fn read_head(stream: &mut TcpStream) -> (String, usize) {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut piece).expect("bytes come");
        assert!(count > 0, "the head is whole: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..count]);
        if let Some(end) = seen.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            return (String::from_utf8_lossy(&seen[..end]).to_ascii_lowercase(), seen.len() - end - 4);
        }
    }
}

/// Reads so many bytes and forgets them.
fn swallow(stream: &mut TcpStream, mut left: u64) {
    let mut piece = vec![0; 1 << 16];
    while left > 0 {
        let count = stream.read(&mut piece).expect("bytes come");
        assert!(count > 0, "{left} bytes are missing");
        left -= count as u64;
    }
}

fn send(stream: &mut TcpStream, bytes: u64) {
    let piece = vec![b'x'; 1 << 16];
    for _ in 0..bytes >> 16 {
        stream.write_all(&piece).expect("bytes are taken");
    }
}

/// An upstream that takes `bytes` from a POST, and gives as many to anything else.
fn upstream(bytes: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let (head, early) = read_head(&mut stream);
                if head.starts_with("post") {
                    assert!(head.contains(&format!("content-length: {bytes}")), "{head}");
                    swallow(&mut stream, bytes - early as u64);
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthank").expect("an answer");
                    return;
                }
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
                stream.write_all(head.as_bytes()).expect("a head");
                send(&mut stream, bytes);
            });
        }
    });
    address
}

#[tokio::test]
async fn large_bodies_pass_in_constant_memory() {
    let bytes = body_bytes();
    let settings = super::super::gateway::upstream(
        &format!("http://{}", upstream(bytes)),
        "timeout = \"120s\"",
        "timeout = \"20m\"\nbody_limit = \"100GiB\"",
    );
    let app = TestApp::simple().settings(&settings).start().await;
    app.get("/health/ready").send().await.must_be(200);
    let id = app.processes[0].id();
    let before = peak(id);
    let address: SocketAddr = app.url.trim_start_matches("http://").parse().expect("an address");

    let down = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(b"GET /u/down HTTP/1.1\r\nhost: a\r\n\r\n").expect("a request");
        let (head, early) = read_head(&mut stream);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        swallow(&mut stream, bytes - early as u64);
    });
    tokio::task::spawn_blocking(move || down.join()).await.expect("it is waited for").expect("the body came whole");
    let after_down = peak(id);
    assert!(after_down < before + MOST_GROWTH, "{before} KiB became {after_down} KiB while {bytes} bytes came");

    let up = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let head = format!("POST /u/up HTTP/1.1\r\nhost: a\r\ncontent-length: {bytes}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("a request");
        send(&mut stream, bytes);
        let (head, _) = read_head(&mut stream);
        assert!(head.starts_with("http/1.1 200"), "{head}");
    });
    tokio::task::spawn_blocking(move || up.join()).await.expect("it is waited for").expect("the body went whole");
    let after_up = peak(id);
    assert!(after_up < before + MOST_GROWTH, "{before} KiB became {after_up} KiB while {bytes} bytes went");
}

/// The client takes nothing while the upstream gives without a pause: what waits in between is bounded.
#[tokio::test]
async fn a_client_that_does_not_read_holds_the_upstream_back() {
    let bytes = 256 << 20;
    let settings =
        super::super::gateway::upstream(&format!("http://{}", upstream(bytes)), "idle_timeout = \"20s\"", "");
    let app = TestApp::simple().settings(&settings).start().await;
    app.get("/health/ready").send().await.must_be(200);
    let id = app.processes[0].id();
    let before = peak(id);
    let address: SocketAddr = app.url.trim_start_matches("http://").parse().expect("an address");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /u/down HTTP/1.1\r\nhost: a\r\n\r\n").expect("a request");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let waiting = peak(id);
    assert!(waiting < before + MOST_GROWTH, "{before} KiB became {waiting} KiB while nobody read");
    // And all of it comes once somebody does.
    let read = move || {
        let (_, early) = read_head(&mut stream);
        swallow(&mut stream, bytes - early as u64);
    };
    tokio::task::spawn_blocking(read).await.expect("the body comes whole");
}
