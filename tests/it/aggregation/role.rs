//! The role alone, without the gateway and tokens before it: with real sources and real workers.

mod app;
mod endpoints;
mod hostile;
mod resilience;
mod sources;
mod transform;
