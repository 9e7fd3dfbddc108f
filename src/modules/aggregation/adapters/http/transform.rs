//! `POST /data/transform`

use std::fmt;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    super::super::{
        application::{error::AggregationError, transform::Rules},
        domain::{data::check, outcome::whole_millis, rule},
    },
    context::json,
    live::Current,
    transform_lines::{is_lines, transform_lines},
};
use crate::{
    kernel::FieldFault,
    platform::{
        http::{
            Problem,
            authentication::Caller,
            body::{escape, expect_json, read_bounded},
            problem::MALFORMED_REQUEST,
        },
        json as strict_json,
    },
};

#[derive(Serialize)]
struct Body<'a> {
    data: &'a RawValue,
    meta: Meta,
}

#[derive(Serialize)]
struct Meta {
    rules: usize,
    duration_ms: u64,
}

/// Applies rules to data: `{"data", "rules"}` or `{"data", "ruleset"}`. With `Content-Type: application/x-ndjson`, to one
/// JSON value a line: the rules are those of `?ruleset=`, or in the first line as `{"rules": […]}`; the answer is lines too.
#[utoipa::path(
    post,
    path = "/data/transform",
    tag = "aggregation",
    params(("ruleset" = Option<String>, Query, description = "For lines (`application/x-ndjson`): the ruleset")),
    request_body(content = serde_json::Value, description = "`data` and either `rules` or the name of a `ruleset`", example = json!({"data": [{"id": 1, "price": 5}], "rules": [{"op": "filter", "where": ".price > 3"}, {"op": "select", "fields": ["id"]}]})),
    responses(
        (status = 200, description = "`data` and `meta`; lines for lines", body = serde_json::Value),
        (status = 400, description = "The body is not JSON"),
        (status = 401, description = "No valid access token"),
        (status = 422, description = "A rule is wrong, with a pointer to it, or `transform-limit`"),
        (status = 503, description = "Too many transformations at a time"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn transform(
    request: HttpRequest,
    payload: web::Payload,
    _caller: Caller,
    use_cases: Current,
) -> Result<HttpResponse, Problem> {
    if is_lines(&request) {
        return transform_lines(&request, payload, use_cases).await;
    }
    expect_json(&request)?;
    let body = read_bounded(&request, payload.into_inner()).await?;
    let asked = read(&body)?;
    let rules = match &asked.rules {
        Wanted::Ruleset(name) => Rules::Named(name),
        Wanted::Rules(rules, text) => Rules::Given(rules.clone(), text.get()),
    };
    let outcome = use_cases.transform.run(asked.data, rules).await;
    let told = match &outcome {
        Ok(_) => "ok",
        Err(AggregationError::Limit(_)) => "limit",
        Err(AggregationError::Rules(_)) => "invalid",
        Err(_) => "failed",
    };
    metrics::counter!("business_operations_total", "operation" => "transform", "outcome" => told).increment(1);
    let transformed = outcome?;
    let meta = Meta { rules: transformed.rules, duration_ms: whole_millis(transformed.duration) };
    json(&Body { data: &transformed.data, meta })
}

struct Asked<'a> {
    data: &'a RawValue,
    rules: Wanted<'a>,
}

enum Wanted<'a> {
    Rules(Vec<rule::Rule>, &'a RawValue),
    Ruleset(String),
}

/// Reads the body; the data stays text, so that its numbers survive.
fn read(body: &[u8]) -> Result<Asked<'_>, Problem> {
    let malformed = |detail: String| Problem::new(&MALFORMED_REQUEST, format!("the body is not valid JSON: {detail}"));
    let text = std::str::from_utf8(body).map_err(|fault| malformed(fault.to_string()))?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|fault| malformed(fault.to_string()))?;
    check(raw.get()).map_err(|fault| malformed(fault.detail))?;
    let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(raw.get()) else {
        return Err(Problem::invalid(vec![FieldFault::new("", "wrong-type", "expected an object")]));
    };
    let (mut data, mut rules, mut ruleset, mut faults) = (None, None, None, Vec::new());
    for (name, value) in members {
        match name.as_str() {
            "data" => data = Some(value),
            "rules" => rules = Some(value),
            "ruleset" => ruleset = Some(value),
            _ => faults.push(FieldFault::new(format!("/{}", escape(&name)), "unknown", "there is no such member")),
        }
    }
    if data.is_none() {
        faults.push(FieldFault::new("/data", "missing", "expected any JSON value"));
    }
    let wanted = match (rules, ruleset) {
        (Some(_), Some(_)) => {
            faults.push(FieldFault::new("/ruleset", "conflict", "expected either `rules` or `ruleset`"));
            None
        }
        (None, None) => {
            faults.push(FieldFault::new("/rules", "missing", "expected an array of rules"));
            None
        }
        (Some(rules), None) => {
            let value = strict_json::parse(rules.get().as_bytes()).map_err(|fault| malformed(fault.to_string()))?;
            match rule::read(&value, "/rules") {
                Ok(read) => Some(Wanted::Rules(read, rules)),
                Err(more) => {
                    faults.extend(more);
                    None
                }
            }
        }
        (None, Some(ruleset)) => {
            let name = serde_json::from_str(ruleset.get()).ok();
            if name.is_none() {
                faults.push(FieldFault::new("/ruleset", "wrong-type", "expected a string"));
            }
            name.map(Wanted::Ruleset)
        }
    };
    match (data, wanted) {
        (Some(data), Some(rules)) if faults.is_empty() => Ok(Asked { data, rules }),
        _ => Err(Problem::invalid(faults)),
    }
}

/// The members of the body, each as text.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}
