//! HTTP as every role speaks it: request context, problem details, strict JSON bodies, health, documentation, the client.

pub mod address;
pub mod api_keys;
pub mod authentication;
pub mod body;
pub mod client;
pub mod common_answers;
pub mod context;
pub mod front;
mod front_metrics;
pub mod health;
pub mod http2;
pub mod listener;
pub mod operations;
pub mod problem;
pub mod role_client;
mod sibling;
mod wire;

pub use body::Fields;
pub use context::{RequestContext, RouteLabel, TraceContext};
pub use health::HealthProbe;
pub use problem::{Problem, ProblemType};
pub use sibling::Sibling;
pub use wire::{Tunnel, Wire};
