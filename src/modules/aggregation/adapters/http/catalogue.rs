//! `GET /data/sources` and `GET /data/endpoints`: what can be asked for.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use serde_json::json;

use super::{context, live::Current};
use crate::platform::http::{Problem, authentication::Caller};

/// The configured sources with their arguments. Their addresses are not told.
#[utoipa::path(
    get,
    path = "/data/sources",
    tag = "aggregation",
    responses(
        (status = 200, description = "`items`: each source's `name`, `method`, `arguments`, `required`, `timeout_ms`", body = serde_json::Value),
        (status = 401, description = "No valid access token"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn sources(_caller: Caller, use_cases: Current) -> Result<HttpResponse, Problem> {
    let items = use_cases.catalogue.sources.iter().map(|source| {
        json!({
            "name": source.name,
            "method": source.method,
            "arguments": source.url.arguments(),
            "required": source.required,
            "timeout_ms": u64::try_from(source.timeout.as_millis()).unwrap_or(u64::MAX),
        })
    });
    context::json(&json!({"items": items.collect::<Vec<_>>(), "next_cursor": null}))
}

/// The configured endpoints with their path parameters and steps.
#[utoipa::path(
    get,
    path = "/data/endpoints",
    tag = "aggregation",
    responses(
        (status = 200, description = "`items`: each endpoint's `path`, `arguments`, `auth`, `timeout_ms` and `steps`", body = serde_json::Value),
        (status = 401, description = "No valid access token"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn endpoints(_caller: Caller, use_cases: Current) -> Result<HttpResponse, Problem> {
    let items = use_cases.catalogue.endpoints.iter().map(|endpoint| {
        let steps = endpoint.steps.iter().enumerate().map(|(index, step)| {
            let after: BTreeSet<&str> =
                endpoint.plan.waits_for[index].iter().map(|other| endpoint.steps[*other].name.as_str()).collect();
            json!({"as": step.name, "source": step.source.name, "required": step.required, "after": after})
        });
        json!({
            "method": "GET",
            "path": format!("/data{}", endpoint.path),
            "arguments": parameters(&endpoint.path),
            "auth": endpoint.access,
            "timeout_ms": u64::try_from(endpoint.timeout.as_millis()).unwrap_or(u64::MAX),
            "steps": steps.collect::<Vec<_>>(),
        })
    });
    context::json(&json!({"items": items.collect::<Vec<_>>(), "next_cursor": null}))
}

/// The names in a path's braces.
pub(crate) fn parameters(path: &str) -> Vec<&str> {
    let segments = path.split('{').skip(1);
    segments.filter_map(|rest| rest.split('}').next()).map(|name| name.trim_start_matches('*')).collect()
}
