//! Tests over HTTP against the real binary. `support` starts it, speaks with it and breaks what it depends on; then there
//! is a folder for each module, and `operations`, `faults` and `cli` for what belongs to none. `./scripts/test` starts what
//! they need.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod aggregation;
mod auth;
mod cli;
mod faults;
mod gateway;
mod operations;
mod support;
