//! Health: alive, ready, and an overview for people.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix_web::{HttpResponse, web};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Operations;
use crate::platform::http::HealthProbe;

/// No probe may hold an answer up longer than this.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// 200 while the process runs.
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 200, description = "It runs")))]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "healthy"}))
}

/// 200 when every local dependency can be used and the process is not stopping, else 503.
#[utoipa::path(get, path = "/health/ready", tag = "operations",
    responses((status = 200, description = "Ready"), (status = 503, description = "Not ready: `checks` says why")))]
pub(super) async fn ready(operations: web::Data<Operations>) -> HttpResponse {
    let checks = states(&operations.probes).await;
    let draining = operations.draining.load(Ordering::Relaxed);
    let ready = !draining && checks.values().all(Result::is_ok);
    let status = if draining {
        "draining"
    } else if ready {
        "ready"
    } else {
        "unready"
    };
    let body = json!({"status": status, "checks": shown(&checks)});
    if ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

/// The state of the process and of every role it knows. Always 200: it is for people; `ready` is for load balancers.
#[utoipa::path(get, path = "/health", tag = "operations",
    responses((status = 200, description = "`healthy`, `degraded` (a role is away) or `unhealthy` (a dependency is)")))]
pub(super) async fn overall(operations: web::Data<Operations>) -> HttpResponse {
    let own = states(&operations.probes).await;
    let services = states(&operations.services).await;
    let status = if own.values().any(Result::is_err) {
        "unhealthy"
    } else if services.values().any(Result::is_err) {
        "degraded"
    } else {
        "healthy"
    };
    let services: BTreeMap<_, _> =
        services.iter().map(|(name, state)| (*name, if state.is_ok() { "healthy" } else { "unhealthy" })).collect();
    HttpResponse::Ok().json(json!({
        "status": status,
        "service": operations.service,
        "version": env!("CARGO_PKG_VERSION"),
        "timestamp": operations.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "services": services,
    }))
}

async fn states(probes: &[Arc<dyn HealthProbe>]) -> BTreeMap<&'static str, Result<(), String>> {
    let checks = probes.iter().map(|probe| async move {
        let state = tokio::time::timeout(PROBE_TIMEOUT, probe.check()).await;
        (probe.name(), state.unwrap_or_else(|_| Err("no answer in time".to_owned())))
    });
    join_all(checks).await.into_iter().collect()
}

fn shown(checks: &BTreeMap<&'static str, Result<(), String>>) -> BTreeMap<&'static str, Value> {
    let shown = |state: &Result<(), String>| match state {
        Ok(()) => json!({"status": "healthy"}),
        Err(why) => json!({"status": "unhealthy", "detail": why}),
    };
    checks.iter().map(|(name, state)| (*name, shown(state))).collect()
}
