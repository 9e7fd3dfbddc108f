//! Every promise of [`RevocationFeed`], for each bell.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::*;
use crate::platform::{
    bell::LocalBell,
    redis::{RedisBell, RedisSettings},
};

/// Two instances that share a feed, or are one.
async fn suite(one: &dyn RevocationFeed, two: &dyn RevocationFeed) {
    let (mut here, mut there) = (one.heard(), two.heard());
    let before = *here.borrow();
    one.announce();
    assert!(*here.borrow_and_update() > before, "heard here before anything else happens");
    // What the other one counts for other reasons may come first; an announcement after it comes all the same.
    for _ in 0..3 {
        there.borrow_and_update();
        one.announce();
        tokio::time::timeout(Duration::from_secs(5), there.changed()).await.unwrap().unwrap();
    }
    let count = *there.borrow_and_update();
    for _ in 0..1_000 {
        two.announce();
    }
    assert!(*there.borrow() >= count + 1_000, "no number of them waits");
}

fn settings(url: String) -> RedisSettings {
    let prefix = format!("test-{}", std::process::id());
    let (connect_timeout, response_timeout) = (Duration::from_secs(1), Duration::from_millis(50));
    RedisSettings { url, prefix, connect_timeout, response_timeout }
}

fn over(url: &str) -> BellFeed {
    BellFeed(Arc::new(RedisBell::start(&settings(url.to_owned())).unwrap()))
}

/// Until what one announces is heard by the other.
async fn joined(one: &dyn RevocationFeed, two: &dyn RevocationFeed) {
    for _ in 0..100 {
        let mut there = two.heard();
        one.announce();
        if tokio::time::timeout(Duration::from_millis(100), there.changed()).await.is_ok() {
            return;
        }
    }
    panic!("nothing is heard");
}

#[tokio::test]
async fn in_process() {
    let feed = BellFeed(Arc::new(LocalBell::default()));
    suite(&feed, &feed).await;
}

#[tokio::test]
async fn over_redis() {
    let port = free_port();
    let _server = Redis::start(port);
    let url = format!("redis://127.0.0.1:{port}");
    let (one, two) = (over(&url), over(&url));
    joined(&one, &two).await;
    suite(&one, &two).await;
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server of the test's own; it ends with the value.
struct Redis {
    server: Child,
}

impl Redis {
    fn start(port: u16) -> Self {
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        Self { server }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn without_redis_each_hears_itself_and_when_it_is_back_the_others() {
    let port = free_port();
    let url = format!("redis://127.0.0.1:{port}");
    let (one, two) = (over(&url), over(&url));
    let before = *one.heard().borrow();
    for _ in 0..100 {
        one.announce();
    }
    assert_eq!(*one.heard().borrow(), before + 100);
    assert_eq!(*two.heard().borrow(), 0);

    let server = Redis::start(port);
    let mut there = two.heard();
    tokio::time::timeout(Duration::from_secs(10), there.changed()).await.unwrap().unwrap();
    joined(&one, &two).await;
    drop(server);
    one.announce();
    let _again = Redis::start(port);
    there.borrow_and_update();
    tokio::time::timeout(Duration::from_secs(10), there.changed()).await.unwrap().unwrap();
    joined(&one, &two).await;
}

#[test]
fn a_wrong_url_is_told() {
    assert!(RedisBell::start(&settings("http://127.0.0.1".to_owned())).is_err());
}
