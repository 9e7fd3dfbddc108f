//! Technical parts without business: HTTP, tokens, the database, mail, resilience, telemetry. Imports the kernel and IO
//! crates, never a module.

pub mod bell;
pub mod breaker_news;
// What only `auth` needs is left out of builds without it.
#[cfg(feature = "auth")]
pub mod database;
pub mod http;
pub mod json;
#[cfg(feature = "auth")]
pub mod mail;
pub mod random;
// Only `aggregation` asks databases without writing.
#[cfg(feature = "aggregation")]
pub mod readonly;
#[cfg(feature = "redis")]
pub mod redis;
pub mod resilience;
pub mod sealing;
pub mod shared_cache;
pub mod shared_counts;
pub mod shared_values;
pub mod telemetry;
pub mod tls;
pub mod tokens;
pub mod watch;
