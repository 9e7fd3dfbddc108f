//! The `gateway` role: one front door before everything else. It knows routes, limits and upstreams; what it lets through
//! goes to a role in this process or over HTTP to a target.

#[cfg(feature = "gateway")]
mod adapters;
pub mod config;
#[cfg(feature = "gateway")]
mod domain;
#[cfg(all(fuzzing, feature = "gateway"))]
pub mod fuzzing;
mod placement;

#[cfg(feature = "gateway")]
pub use adapters::{
    Explanation, Gateway, GatewayMiddleware, GatewayParts, GatewayService, Instances, PROBLEMS, Policies, Reload,
    ReloadFault, Reloaded, RoutePlan, RouteSummary, check, openapi,
};
pub use config::GatewayConfig;
pub use placement::{Placement, RoleRoute, front_door, open_paths};

#[cfg(all(test, feature = "gateway"))]
mod tests;
