//! The role alone, without the gateway and tokens before it: with real sources and real workers.

mod app;
mod batch;
mod endpoints;
mod honest;
mod hostile;
mod pages;
mod resilience;
mod sources;
mod transform;
