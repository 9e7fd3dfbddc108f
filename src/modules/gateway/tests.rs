//! The gateway over real sockets: a real server in front, real and broken upstreams behind.

#![expect(clippy::unwrap_used, reason = "a panic is a test's failure")]

mod balancing;
mod cache;
mod encrypted;
mod exchanges;
mod faults;
mod framing;
mod grpc;
mod http2;
mod issuers;
mod many;
mod messages;
mod policies;
mod reload;
mod services;
mod shaping;
mod support;
mod upgrades;
