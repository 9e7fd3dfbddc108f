//! The gateway's edges: the middleware, the upstream client, administration.

mod admin;
mod balance;
mod cache;
mod checks;
mod compile;
mod connection;
mod explain;
mod health;
mod hygiene;
mod identity;
mod limiter;
mod live;
mod middleware;
mod outgoing;
mod pipeline;
mod policies;
mod pool;
mod problems;
mod proxy;
mod reload;
mod request_body;
mod response_body;
mod rewrite;
mod route;
mod start;
mod table;
mod target;
mod template;
mod trailers;
mod tunnel;
mod upgrade;
mod upstream;

pub use explain::{Explanation, RouteSummary};
#[cfg(fuzzing)]
pub(super) use hygiene::{declared, may_go_on};
pub use middleware::{GatewayMiddleware, GatewayService};
pub use problems::PROBLEMS;
pub use reload::{Reload, ReloadFault, Reloaded};
pub use start::{Gateway, GatewayParts, RoutePlan, check, openapi};
