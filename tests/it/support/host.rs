//! A loopback address for each application under test. The whole of 127.0.0.0/8 is this machine, so every application gets
//! an address of its own and keeps the ports of the contract: tests side by side never meet.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    net::{Ipv4Addr, TcpListener},
};

/// An address on which nothing listens on the ports of the roles.
pub(crate) fn free_host() -> Ipv4Addr {
    for attempt in 0..100_u8 {
        let [a, b, c, ..] = RandomState::new().hash_one((std::process::id(), attempt)).to_be_bytes();
        let host = Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
        if (8000..=8003).all(|port| TcpListener::bind((host, port)).is_ok()) {
            return host;
        }
    }
    panic!("no free loopback address");
}
