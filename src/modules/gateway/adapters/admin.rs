//! `GET {admin_prefix}/upstreams`: what the gateway knows of what is behind it.

use std::sync::{Arc, atomic::Ordering};

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{limit_views, live::Live, reload, upstream::Upstream, views};
use crate::platform::http::{Problem, authentication::Caller};

/// The permission to look.
pub(super) const READ: &str = "gateway:read";

/// All upstreams.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct UpstreamList {
    items: Vec<UpstreamState>,
}

/// One upstream as it stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct UpstreamState {
    name: String,
    /// `closed`, `half-open` or `open`.
    breaker: &'static str,
    in_flight: usize,
    max_in_flight: usize,
    targets: Vec<TargetState>,
}

/// One target as it stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TargetState {
    url: String,
    weight: u32,
    /// By SRV records: targets of lower ones are asked first.
    priority: Option<u16>,
    /// By SRV records: its weight, in percent of the average of its priority.
    weight_percent: Option<u32>,
    /// Whether it gets requests.
    available: bool,
    /// What active checks say; true without any.
    healthy: bool,
    /// Whether it was taken out for failing.
    ejected: bool,
    in_flight: usize,
    /// Tries so far.
    requests: u64,
    /// Tries that failed.
    failures: u64,
}

/// Shows targets, health, breaker and traffic.
#[utoipa::path(
    get,
    path = "/admin/upstreams",
    tag = "gateway",
    responses(
        (status = 200, description = "Every upstream as it stands", body = UpstreamList),
        (status = 401, description = "No valid access token"),
        (status = 403, description = "The token lacks gateway:read"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn list_upstreams(caller: Caller, shared: web::Data<SharedHandle>) -> Result<HttpResponse, Problem> {
    caller.must(READ)?;
    let items = shared.0.current().upstreams.iter().map(|upstream| describe(upstream)).collect();
    Ok(HttpResponse::Ok().json(UpstreamList { items }))
}

/// The gateway's state, as application data.
pub(super) struct SharedHandle(pub(super) Arc<Live>);

fn describe(upstream: &Upstream) -> UpstreamState {
    let now = upstream.now();
    let targets = upstream.targets.iter().filter(|target| target.is_present()).map(|target| TargetState {
        url: target.shown(),
        weight: target.configured_weight(),
        priority: target.said().map(|said| said.priority),
        weight_percent: target.said().map(|said| said.weight / target.configured_weight()),
        available: target.is_available(now),
        healthy: target.healthy.load(Ordering::Relaxed),
        ejected: target.is_ejected(now),
        in_flight: target.in_flight.load(Ordering::Relaxed),
        requests: target.requests.load(Ordering::Relaxed),
        failures: target.failures.load(Ordering::Relaxed),
    });
    UpstreamState {
        name: upstream.name.clone(),
        breaker: upstream.breaker.state().as_str(),
        in_flight: upstream.in_flight.load(Ordering::Relaxed),
        max_in_flight: upstream.cap.load(Ordering::Relaxed),
        targets: targets.collect(),
    }
}

/// The operations of this file, for the OpenAPI document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(list_upstreams, views::list_routes, limit_views::list_limits, reload::reload))]
pub(super) struct AdminApi;
