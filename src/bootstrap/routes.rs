//! The gateway's routes, for the command line: nothing is started and nothing is called.

use serde_json::Value as Json;

use super::RoleSet;
#[cfg(feature = "gateway")]
use crate::modules::gateway::RoutePlan;
use crate::{config::Config, kernel::StartError};

/// Every route of the front door in the order in which they are tried, as the gateway describes them. `roles` are those
/// that run in the same process as the gateway.
pub fn list_routes(config: &Config, roles: &RoleSet) -> Result<Vec<Json>, StartError> {
    #[cfg(feature = "gateway")]
    {
        let found = plan(config, roles)?.list();
        Ok(found.into_iter().filter_map(|route| serde_json::to_value(route).ok()).collect())
    }
    #[cfg(not(feature = "gateway"))]
    missing(config, roles).map(|_| Vec::new())
}

/// What a request would meet. `Err` inside when it is no request: a malformed method, URL or header.
pub fn explain_route(
    config: &Config,
    roles: &RoleSet,
    method: &str,
    url: &str,
    headers: &[(String, String)],
) -> Result<Result<Json, String>, StartError> {
    #[cfg(feature = "gateway")]
    {
        let explained = plan(config, roles)?.explain(method, url, headers);
        Ok(explained.and_then(|found| serde_json::to_value(found).map_err(|error| error.to_string())))
    }
    #[cfg(not(feature = "gateway"))]
    {
        let _ = (method, url, headers);
        missing(config, roles).map(Ok)
    }
}

#[cfg(feature = "gateway")]
fn plan<'a>(config: &'a Config, roles: &RoleSet) -> Result<RoutePlan<'a>, StartError> {
    let doors = super::gateway::role_routes(config, |role| roles.has(role));
    let plan = RoutePlan::new(&config.gateway, config.server.body_limit, &doors);
    plan.map_err(StartError::Settings)
}

#[cfg(not(feature = "gateway"))]
fn missing(_: &Config, _: &RoleSet) -> Result<Json, StartError> {
    Err(StartError::Failed("role `gateway` is not compiled into this binary".to_owned()))
}
