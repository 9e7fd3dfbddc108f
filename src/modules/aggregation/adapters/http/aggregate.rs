//! `GET /data/aggregate`

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::{
    super::super::{
        application::{aggregate::Aggregated, error::AggregationError},
        domain::{
            data::Json,
            freshness::Freshness,
            outcome::{SourceReport, whole_millis},
        },
    },
    context::{Ordered, explain, headers, query, text},
    honest::{Honest, weak},
    live::Current,
};
use crate::platform::http::{Problem, authentication::Caller};

#[derive(Serialize)]
struct Body<'a> {
    data: Ordered<'a, Option<Json>>,
    meta: Meta<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<Ordered<'a, SourceReport>>,
}

#[derive(Serialize)]
struct Meta<'a> {
    complete: bool,
    duration_ms: u64,
    sources: Ordered<'a, SourceReport>,
}

/// The named sources, side by side. Every other query parameter is an argument for them.
#[utoipa::path(
    get,
    path = "/data/aggregate",
    tag = "aggregation",
    params(
        ("sources" = String, Query, description = "Names of sources, separated by commas", example = "profile,orders"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an answer that is known already"),
        ("explain" = Option<bool>, Query, description = "Adds `explain`; needs the permission `aggregation:explain`"),
    ),
    responses(
        (status = 200, description = "`data` by source, in the order asked for, and `meta`; a source that failed is null and `meta.complete` is false", body = serde_json::Value),
        (status = 304, description = "The sources said the same as when the tag in `If-None-Match` was given"),
        (status = 400, description = "`unknown-source`, `missing-argument` or `bad-argument`"),
        (status = 401, description = "No valid access token"),
        (status = 502, description = "A required source failed; `sources` tells how each one went"),
        (status = 504, description = "A required source did not answer in time"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn aggregate(
    request: HttpRequest,
    _caller: Caller,
    use_cases: Current,
) -> Result<HttpResponse, Problem> {
    let query = query(&request)?;
    let explain = explain(&request, &query)?;
    let (mut names, mut arguments) = (None, BTreeMap::new());
    for (name, value) in query {
        let repeated = match name.as_str() {
            "explain" => continue,
            "sources" => names.replace(value).is_some(),
            _ => arguments.insert(name.clone(), value).is_some(),
        };
        if repeated {
            let name: String = name.chars().take(64).collect();
            return Err(AggregationError::BadQuery(format!("`{name}` stands twice")).into());
        }
    }
    let names =
        names.ok_or_else(|| AggregationError::BadQuery("`sources` is missing; expected ?sources=a,b".to_owned()))?;
    let outcome = use_cases.aggregate.run(&names, &arguments, &headers(&request)).await;
    count(match &outcome {
        Ok(aggregated) if aggregated.complete => "complete",
        Ok(_) => "partial",
        Err(_) => "failed",
    });
    let aggregated = outcome?;
    let body = Body {
        data: Ordered(&aggregated.data),
        meta: Meta {
            complete: aggregated.complete,
            duration_ms: whole_millis(aggregated.duration),
            sources: Ordered(&aggregated.reports),
        },
        explain: explain.then_some(Ordered(&aggregated.reports)),
    };
    let body = text(&body)?;
    let honest = Honest {
        complete: aggregated.complete,
        freshness: if explain { Freshness::NO_STORE } else { aggregated.freshness },
        vary: &aggregated.vary,
        tag: if explain { None } else { Some(tag(&aggregated)?) },
    };
    Ok(honest.answer(&request, body))
}

/// Of what the sources said and how each ended; how long it took makes no other answer.
fn tag(aggregated: &Aggregated) -> Result<String, Problem> {
    let data = text(&Ordered(&aggregated.data))?;
    let ended: Vec<_> =
        aggregated.reports.iter().map(|(_, report)| (report.status, report.http_status, &report.detail)).collect();
    Ok(weak(&[&data, &text(&ended)?]))
}

pub(super) fn count(outcome: &'static str) {
    metrics::counter!("business_operations_total", "operation" => "aggregate", "outcome" => outcome).increment(1);
}
