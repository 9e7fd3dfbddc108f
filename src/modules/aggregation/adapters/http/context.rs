//! What the use cases need of a request.

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::value::RawValue;

use super::super::super::{
    application::{ports::RequestHeaders, run_endpoint::StepTrace},
    domain::{
        data::Json,
        outcome::{SourceReport, whole_millis},
    },
};
use crate::platform::http::{
    Problem, RequestContext,
    authentication::{Caller, Identity, identify, refusal},
    problem::MALFORMED_REQUEST,
};

/// The permission that `?explain=true` needs.
const EXPLAIN: &str = "aggregation:explain";

/// The query's pairs in order.
pub(super) fn query(request: &HttpRequest) -> Result<Vec<(String, String)>, Problem> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    let pairs =
        pairs.map_err(|fault| Problem::new(&MALFORMED_REQUEST, format!("the query cannot be read: {fault}")))?;
    Ok(pairs.into_inner())
}

/// Whether the timeline is wanted; who wants it must be allowed to.
pub(super) fn explain(request: &HttpRequest, query: &[(String, String)]) -> Result<bool, Problem> {
    if !query.iter().any(|(name, value)| name == "explain" && value == "true") {
        return Ok(false);
    }
    match identify(request) {
        Identity::Known(principal) => Caller(principal).must(EXPLAIN).map(|()| true),
        Identity::Anonymous => Err(refusal(None)),
        Identity::Refused(fault) => Err(refusal(Some(&fault))),
    }
}

/// Headers that say who somebody is: a client's own count for nothing, whatever separates their words.
const IDENTITY: [&str; 4] = ["x-user-id", "x-user-email", "x-user-roles", "x-user-scopes"];

/// The headers that sources may get. Who asks is what the token says; an API key stays here.
pub(crate) fn headers(request: &HttpRequest) -> RequestHeaders {
    let is_own = |name: &str| {
        let name = name.replace('_', "-");
        name == "x-api-key" || IDENTITY.contains(&name.as_str())
    };
    let client = request.headers().iter().filter(|(name, _)| !is_own(name.as_str()));
    let client = client.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let mut client: Vec<(String, String)> = client.collect();
    if let Identity::Known(principal) = identify(request) {
        let (roles, scopes) = (principal.roles.join(","), principal.scopes.join(" "));
        let said = [Some(principal.subject.to_string()), principal.email.clone(), Some(roles), Some(scopes)];
        let said = IDENTITY.into_iter().zip(said);
        client.extend(said.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    let mut trace = Vec::new();
    if let Some(context) = request.extensions().get::<RequestContext>() {
        trace.push(("x-request-id".to_owned(), context.request_id.to_string()));
        trace.push(("traceparent".to_owned(), context.trace.traceparent()));
        trace.extend(context.trace.state.clone().map(|state| ("tracestate".to_owned(), state)));
    }
    RequestHeaders { client, trace }
}

/// A JSON answer.
pub(super) fn json(body: &(impl Serialize + ?Sized)) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().content_type("application/json").body(text(body)?))
}

/// JSON text.
pub(super) fn text(body: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|fault| Problem::new(&crate::platform::http::problem::INTERNAL, fault.to_string()))
}

/// Members in the order they have.
pub(super) struct Ordered<'a, V>(pub(super) &'a [(String, V)]);

impl Serialize for Ordered<'_, SourceReport> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, report)| (name, report)))
    }
}

impl Serialize for Ordered<'_, Option<Json>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, &value.as_deref())?;
        }
        map.end()
    }
}

/// One step of a timeline.
#[derive(Serialize)]
pub(super) struct Explained<'a> {
    step: &'a str,
    source: &'a str,
    started_ms: u64,
    calls: usize,
    #[serde(flatten)]
    report: &'a SourceReport,
}

impl<'a> From<&'a StepTrace> for Explained<'a> {
    fn from(trace: &'a StepTrace) -> Self {
        Self {
            step: &trace.name,
            source: &trace.source,
            started_ms: whole_millis(trace.started),
            calls: trace.calls,
            report: &trace.report,
        }
    }
}

/// An endpoint's answer with its timeline.
#[derive(Serialize)]
pub(super) struct WithTimeline<'a> {
    pub(super) response: &'a RawValue,
    pub(super) complete: bool,
    pub(super) explain: Vec<Explained<'a>>,
}
