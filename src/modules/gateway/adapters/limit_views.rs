//! `GET {admin_prefix}/limits`: the rate limits that are in effect, and what they decided.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{
    admin::{READ, SharedHandle},
    limiter::{Policy, Sharing},
    limits::Limits,
    pipeline::Shared,
};
use crate::{
    modules::gateway::config::LimitMode,
    platform::http::{Problem, authentication::Caller},
};

/// All limits of the instance that answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LimitList {
    items: Vec<LimitState>,
    /// Keys that this instance remembers now, of all limits together.
    keys: usize,
    /// The most it remembers (`gateway.rate_limit_keys`).
    max_keys: usize,
    /// `off`: this instance counts for itself; `reachable`: all count together; `away`: they should, and this instance goes on
    /// alone.
    shared: &'static str,
}

/// One limit.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LimitState {
    /// Its name in `RateLimit-Policy`.
    policy: String,
    /// The routes that it holds for.
    routes: Vec<String>,
    /// No more requests than this in any window.
    limit: u32,
    window_seconds: u64,
    /// Whose requests are counted together: `client`, `ip`, `user`, `api_key`, `route` or `header:NAME`.
    per: String,
    /// The steady pace on top, such as `10/second`.
    pace: Option<String>,
    /// How instances share it: `exact` or `leased`.
    mode: &'static str,
    /// Requests that it let through since the start.
    allowed: u64,
    /// Requests that it refused since the start.
    refused: u64,
    /// Those of both that this instance decided alone, because the shared counts were away.
    alone: u64,
}

/// Shows every limit that is in effect, with its routes and decisions.
#[utoipa::path(
    get,
    path = "/admin/limits",
    tag = "gateway",
    responses(
        (status = 200, description = "Every limit as it stands at the instance that answers", body = LimitList),
        (status = 401, description = "No valid access token"),
        (status = 403, description = "The token lacks gateway:read"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn list_limits(caller: Caller, shared: web::Data<SharedHandle>) -> Result<HttpResponse, Problem> {
    caller.must(READ)?;
    Ok(HttpResponse::Ok().json(list(&shared.0.current())))
}

fn list(shared: &Shared) -> LimitList {
    // Routes without limits of their own share the gateway's.
    let mut found: Vec<(&Arc<Limits>, Vec<String>)> = Vec::new();
    for route in shared.table.routes() {
        let Some(limits) = &route.limit else { continue };
        let at = found.iter().position(|(known, _)| Arc::ptr_eq(known, limits)).unwrap_or(found.len());
        if at == found.len() {
            found.push((limits, Vec::new()));
        }
        let routes = &mut found[at].1;
        if !routes.iter().any(|known| *known == *route.name) {
            routes.push(route.name.to_string());
        }
    }
    let items = found.iter().flat_map(|(limits, routes)| limits.policies.iter().map(|policy| describe(policy, routes)));
    let (keys, max_keys) = shared.limiter.keys();
    let sharing = match shared.limiter.sharing() {
        Sharing::Off => "off",
        Sharing::Reachable => "reachable",
        Sharing::Away => "away",
    };
    LimitList { items: items.collect(), keys, max_keys, shared: sharing }
}

fn describe(policy: &Policy, routes: &[String]) -> LimitState {
    let decided = policy.tally.decided();
    LimitState {
        policy: policy.name.clone(),
        routes: routes.to_vec(),
        limit: policy.limit().count(),
        window_seconds: policy.limit().window().as_secs(),
        per: policy.per.to_string(),
        pace: policy.pace().map(|pace| pace.to_string()),
        mode: match policy.mode() {
            LimitMode::Exact => "exact",
            LimitMode::Leased => "leased",
        },
        allowed: decided.allowed,
        refused: decided.refused,
        alone: decided.alone,
    }
}
