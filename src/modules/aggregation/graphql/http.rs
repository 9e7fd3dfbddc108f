//! GraphQL over HTTP: `POST` with a JSON body, `GET` for queries, `application/graphql-response+json` and `application/json`.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    guard::{GuardContext, fn_guard},
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    web,
};

use super::{
    super::adapters::http::{
        CREDENTIALS,
        context::headers,
        endpoint::{authorise, named},
        honest::{COMPLETE, Honest, strong},
    },
    answer::{Answer, Refused, seen},
    request::{Request, posted, queried},
    start::{Live, Service},
};
use crate::platform::http::{
    Problem,
    body::{expect_json, read_bounded},
    problem::{MALFORMED_REQUEST, METHOD_NOT_ALLOWED, NO_ROUTE},
};

/// The media type of answers (GraphQL over HTTP §6).
const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";
/// Headers that a browser sends to another origin only after it has asked (a preflight): a page of somebody else cannot make
/// a request with one of them. The last three are what GraphQL's clients and tools send for this.
const NOT_SIMPLE: [&str; 5] =
    ["authorization", "x-api-key", "apollo-require-preflight", "x-apollo-operation-name", "graphql-require-preflight"];

/// Registers what serves at the moment, at the path that it has then.
pub(in super::super) fn configure(live: &Arc<Live>, app: &mut web::ServiceConfig) {
    let (here, get, post) = (Arc::clone(live), Arc::clone(live), Arc::clone(live));
    let is_here = move |asked: &GuardContext<'_>| {
        here.load().as_ref().is_some_and(|service| service.path == asked.head().uri.path())
    };
    let get = move |request| queries(get.load_full(), request);
    let post = move |request, payload| operations(post.load_full(), request, payload);
    let other = web::to(|| async { Err::<HttpResponse, _>(method_not_allowed("GET, POST", "expected GET or POST")) });
    let resource = web::resource("/{graphql:.+}").guard(fn_guard(is_here));
    app.service(resource.route(web::get().to(get)).route(web::post().to(post)).default_service(other));
}

/// The service that is asked, which may have gone in between.
fn asked(service: Option<Arc<Service>>, request: &HttpRequest) -> Result<Arc<Service>, Problem> {
    let service = service.ok_or_else(|| Problem::new(&NO_ROUTE, "nothing is served at this path"))?;
    named(request, &service.path.as_str().into());
    authorise(service.access, request)?;
    Ok(service)
}

/// `POST`
async fn operations(
    service: Option<Arc<Service>>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let service = asked(service, &request)?;
    expect_json(&request)?;
    let body = read_bounded(&request, payload.into_inner()).await?;
    let operation = posted(&body).map_err(malformed)?;
    let answer = answer(&service, &request, &operation, false).await?;
    let mut response = HttpResponse::build(status(&request, &answer));
    response.insert_header((COMPLETE, if answer.complete { "true" } else { "false" }));
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(response.content_type(media_type(&request)).body(answer.body))
}

/// `GET`: queries alone.
async fn queries(service: Option<Arc<Service>>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let service = asked(service, &request)?;
    let is_json =
        request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(JSON.as_bytes()));
    let said = |name: &&str| request.headers().get(*name).is_some_and(|value| !value.is_empty());
    if !is_json && !NOT_SIMPLE.iter().any(said) {
        let expected = format!("{} or `content-type: {JSON}`", NOT_SIMPLE.join(", "));
        return Err(malformed(format!("a page of another origin could have sent this; expected one of {expected}")));
    }
    let operation = queried(request.query_string()).map_err(malformed)?;
    let answer = answer(&service, &request, &operation, true).await?;
    let (status, body) = (status(&request, &answer), answer.body.into_bytes());
    let tag = answer.executed.then(|| strong(&body));
    let honest = Honest { complete: answer.complete, freshness: answer.freshness, vary: &service.vary, tag };
    let mut response = honest.answer(&request, body);
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(&request)));
    }
    Ok(response)
}

async fn answer(service: &Service, request: &HttpRequest, asked: &Request, is_safe: bool) -> Result<Answer, Problem> {
    let headers = headers(request);
    let seen = seen(&headers, &CREDENTIALS);
    let outcome = service.answer(asked, &headers, seen, is_safe).await;
    let told = match &outcome {
        Ok(answer) if answer.complete => "complete",
        Ok(answer) if answer.executed => "partial",
        _ => "refused",
    };
    metrics::counter!("business_operations_total", "operation" => "graphql", "outcome" => told).increment(1);
    tracing::debug!(
        event = "graphql_operation",
        operation = asked.operation.as_deref().map(|name| name.chars().take(64).collect::<String>()),
        outcome = told,
        "GraphQL operation"
    );
    outcome.map_err(|Refused::Method| method_not_allowed("POST", "mutations are not answered by GET; expected POST"))
}

/// What was not executed is the client's fault; in `application/json`, which an intermediary may answer in too, the status
/// tells nothing of GraphQL (§6.4).
fn status(request: &HttpRequest, answer: &Answer) -> StatusCode {
    if answer.executed || media_type(request) == JSON { StatusCode::OK } else { StatusCode::BAD_REQUEST }
}

/// What the client likes best; GraphQL's own when it does not care.
fn media_type(request: &HttpRequest) -> &'static str {
    let said: Vec<&str> = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    preferred(&said.join(","))
}

fn preferred(accept: &str) -> &'static str {
    if accept.trim().is_empty() {
        return GRAPHQL;
    }
    // The most specific range decides on each (RFC 9110 §12.5.1).
    let quality = |name: &str| {
        let ranges = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let specific = match parts.next()?.to_ascii_lowercase() {
                range if range == name => 2,
                range if range == "application/*" => 1,
                range if range == "*/*" => 0,
                _ => return None,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
            Some((specific, quality.unwrap_or(0.0_f32)))
        });
        ranges.max_by_key(|(specific, _)| *specific).map_or(0.0, |(_, quality)| quality)
    };
    let (own, plain) = (quality(GRAPHQL), quality(JSON));
    if own > 0.0 && own >= plain { GRAPHQL } else { JSON }
}

fn malformed(detail: String) -> Problem {
    Problem::new(&MALFORMED_REQUEST, detail)
}

fn method_not_allowed(allowed: &'static str, detail: &str) -> Problem {
    let allow: (HeaderName, HeaderValue) = (header::ALLOW, HeaderValue::from_static(allowed));
    Problem::new(&METHOD_NOT_ALLOWED, detail).with_header(allow.0, allow.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses_the_media_type() {
        for (accept, expected) in [
            ("", GRAPHQL),
            ("*/*", GRAPHQL),
            ("application/json", JSON),
            ("application/json, */*;q=0.1", JSON),
            ("application/graphql-response+json, application/json;q=0.9", GRAPHQL),
            ("application/graphql-response+json;q=0.5, application/json", JSON),
            ("Application/JSON; charset=utf-8", JSON),
            ("text/html", JSON),
        ] {
            assert_eq!(preferred(accept), expected, "{accept}");
        }
    }
}
