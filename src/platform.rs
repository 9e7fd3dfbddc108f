//! Technical parts without business: HTTP, tokens, the database, mail, resilience, telemetry. Imports the kernel and IO
//! crates, never a module.

pub mod http;
pub mod json;
pub mod random;
pub mod telemetry;
pub mod tokens;
