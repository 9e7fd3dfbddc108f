//! The composition root: decides for each role whether it runs in this process or is reached over HTTP, builds what runs,
//! and serves it. The one place that sees every module.

mod administration;
mod aggregate;
mod aggregation;
mod auth;
mod checks;
pub mod demo;
mod gateway;
mod http2;
mod inside;
mod openapi;
mod process;
#[cfg(feature = "redis")]
mod redis;
mod reload;
mod remote;
mod roles;
mod routes;
mod serve;
mod server;
mod siblings;
mod tls;
mod token_feed;

pub use administration::{MigrationView, administration, migrate_down, migrate_up, migrations};
pub use aggregate::{aggregate, import_krakend, transform, transform_lines};
pub use aggregation::evaluation_worker;
pub use checks::check;
pub use openapi::document as openapi;
pub use process::{Process, ServeOptions};
pub use roles::{RoleSet, compiled_in};
pub use routes::{explain_route, list_routes};
pub use serve::serve;
