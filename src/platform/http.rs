//! HTTP as every role speaks it: request context, problem details, strict JSON bodies, health, documentation, the client.

pub mod authentication;
pub mod body;
pub mod context;
pub mod health;
pub mod problem;

pub use body::Fields;
pub use context::{RequestContext, TraceContext};
pub use health::HealthProbe;
pub use problem::{Problem, ProblemType};
