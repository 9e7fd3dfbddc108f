//! The role alone, without the gateway and tokens before it: with real sources and real workers.

mod app;
mod batch;
mod endpoints;
#[cfg(feature = "graphql")]
mod graphql;
mod honest;
mod hostile;
mod pages;
mod resilience;
mod shared;
mod sources;
mod transform;
