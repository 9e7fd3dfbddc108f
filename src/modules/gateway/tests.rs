//! The gateway over real sockets: a real server in front, real and broken upstreams behind.

mod faults;
mod messages;
mod policies;
mod support;
