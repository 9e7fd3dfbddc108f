//! The paths that are public, and where the roles behind them are.

use super::config::GatewayConfig;
use crate::{kernel::Role, modules::auth::api::FRONT_DOOR};

/// Where a role is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// In this process: requests fall through to the application's router.
    Local,
    /// At this base URL.
    Remote(String),
}

/// A public path of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRoute {
    /// The role.
    pub role: Role,
    /// The path, and with it all paths beneath; whole segments.
    pub prefix: String,
    /// Whether the role is given the path without the prefix.
    pub strip_prefix: bool,
    /// Where the role is.
    pub placement: Placement,
}

/// What the application serves itself, besides the administration.
const OPEN: &[&str] = &["/health", "/metrics", "/docs", "/redoc", "/openapi.json", "/problems"];

/// The public paths of every role that `place` has a place for.
pub fn front_door(config: &GatewayConfig, place: impl Fn(Role) -> Option<Placement>) -> Vec<RoleRoute> {
    let auth = FRONT_DOOR.iter().map(|prefix| (Role::Auth, (*prefix).to_owned(), false));
    let aggregation = std::iter::once((Role::Aggregation, config.api_prefix.clone(), true));
    auth.chain(aggregation)
        .filter_map(|(role, prefix, strip_prefix)| {
            place(role).map(|placement| RoleRoute { role, prefix, strip_prefix, placement })
        })
        .collect()
}

/// The paths that are served without limit and authentication by the gateway: health, metrics, documentation, problems,
/// administration (which asks for permission itself).
pub fn open_paths(config: &GatewayConfig) -> Vec<String> {
    OPEN.iter().map(|path| (*path).to_owned()).chain([config.admin_prefix.clone()]).collect()
}
