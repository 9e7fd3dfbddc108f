//! Resilience, one idea a file.

pub mod breaker;
pub mod budget;

pub use breaker::{Breaker, BreakerSettings, BreakerState, Open, Permit};
pub use budget::RetryBudget;
