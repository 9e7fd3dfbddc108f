//! Configured endpoints below `/data`.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    super::super::application::{
        catalogue::{Access, Endpoint},
        run_endpoint::texts,
    },
    UseCases,
    aggregate::count,
    context::{Explained, WithTimeline, explain, headers, json, query},
};
use crate::platform::http::{
    Problem,
    authentication::{Identity, identify, refusal},
};

/// Headers that programs do not see.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Answers a configured endpoint.
pub(super) async fn serve(
    endpoint: Arc<Endpoint>,
    request: HttpRequest,
    path: web::Path<BTreeMap<String, String>>,
    use_cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    authorise(endpoint.access, &request)?;
    let query = query(&request)?;
    let explain = explain(&request, &query)?;
    let headers = headers(&request);
    let pair = |(name, value): (&'_ String, &'_ String)| (name.clone(), value.clone());
    let path: Vec<(String, String)> = path.iter().map(pair).collect();
    let seen = headers.client.iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
    let scope = [
        ("path", texts(path.iter().map(|(name, value)| (name.as_str(), value.as_str())))),
        ("query", texts(query.iter().map(|(name, value)| (name.as_str(), value.as_str())))),
        ("headers", texts(seen.map(|(name, value)| (name.as_str(), value.as_str())))),
    ];
    let outcome = use_cases.endpoints.run(&endpoint, &scope, &headers).await;
    count(match &outcome {
        Ok(answer) if answer.complete => "complete",
        Ok(_) => "partial",
        Err(_) => "failed",
    });
    let answer = outcome?;
    if explain {
        let timeline = answer.timeline.iter().map(Explained::from).collect();
        let body = WithTimeline { response: &answer.response, complete: answer.complete, explain: timeline };
        return json(&body, Some(answer.complete));
    }
    json(&*answer.response, Some(answer.complete))
}

fn authorise(access: Access, request: &HttpRequest) -> Result<(), Problem> {
    if access == Access::Anybody {
        return Ok(());
    }
    match identify(request) {
        Identity::Known(_) => Ok(()),
        Identity::Anonymous if access == Access::Optional => Ok(()),
        Identity::Anonymous => Err(refusal(None)),
        Identity::Refused(fault) => Err(refusal(Some(&fault))),
    }
}
