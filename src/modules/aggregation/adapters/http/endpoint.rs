//! Configured endpoints below `/data`.

use std::sync::Arc;

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    http::{Method, header},
};

use super::{
    super::super::{
        application::{catalogue::Access, run_endpoint::texts},
        domain::freshness::Freshness,
    },
    aggregate::count,
    context::{Explained, WithTimeline, explain, headers, query, text},
    honest::{Honest, strong},
    live::Current,
};
use crate::platform::http::{
    Problem, RouteLabel,
    authentication::{Identity, identify, refusal},
    problem::{METHOD_NOT_ALLOWED, NO_ROUTE},
};

/// Headers that programs do not see.
pub(crate) const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Answers a configured endpoint.
pub(super) async fn serve(request: HttpRequest, use_cases: Current) -> Result<HttpResponse, Problem> {
    let below = format!("/{}", request.match_info().get("path").unwrap_or_default());
    let Some((route, parameters)) = use_cases.router.find(&below) else {
        return Err(Problem::new(&NO_ROUTE, "nothing is served at this path"));
    };
    named(&request, &route.pattern);
    if request.method() != Method::GET {
        let problem = Problem::new(&METHOD_NOT_ALLOWED, "expected GET");
        return Err(problem.with_header(header::ALLOW, header::HeaderValue::from_static("GET")));
    }
    let endpoint = &*route.endpoint;
    authorise(endpoint.access, &request)?;
    let query = query(&request)?;
    let explain = explain(&request, &query)?;
    let headers = headers(&request);
    let path: Vec<(String, String)> = parameters.iter().map(|(name, value)| (name.to_owned(), decode(value))).collect();
    let seen = headers.client.iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
    let scope = [
        ("path", texts(path.iter().map(|(name, value)| (name.as_str(), value.as_str())))),
        ("query", texts(query.iter().map(|(name, value)| (name.as_str(), value.as_str())))),
        ("headers", texts(seen.map(|(name, value)| (name.as_str(), value.as_str())))),
    ];
    let outcome = use_cases.endpoints.run(endpoint, &scope, &headers).await;
    count(match &outcome {
        Ok(answer) if answer.complete => "complete",
        Ok(_) => "partial",
        Err(_) => "failed",
    });
    let answer = outcome?;
    if explain {
        let timeline = answer.timeline.iter().map(Explained::from).collect();
        let body = WithTimeline { response: &answer.response, complete: answer.complete, explain: timeline };
        let (freshness, vary) = (Freshness::NO_STORE, &endpoint.vary);
        let honest = Honest { complete: answer.complete, freshness, vary, tag: None };
        return Ok(honest.answer(&request, text(&body)?));
    }
    let body = answer.response.get().as_bytes().to_vec();
    let (freshness, tag) = (answer.freshness, Some(strong(&body)));
    let honest = Honest { complete: answer.complete, freshness, vary: &endpoint.vary, tag };
    Ok(honest.answer(&request, body))
}

/// What the request is called in metrics, unless a gateway before this has said so.
pub(crate) fn named(request: &HttpRequest, pattern: &Arc<str>) {
    let mut extensions = request.extensions_mut();
    if !extensions.contains::<RouteLabel>() {
        extensions.insert(RouteLabel(Arc::clone(pattern)));
    }
}

/// Whether who asks may.
pub(crate) fn authorise(access: Access, request: &HttpRequest) -> Result<(), Problem> {
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

/// Percent-decodes a path parameter; what the router left encoded (`%2F`, `%25`) is the parameter's own.
fn decode(value: &str) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = value.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn parameters_are_decoded_once() {
        for (encoded, decoded) in [("a%2Fb", "a/b"), ("%2525", "%25"), ("%", "%"), ("%zz", "%zz"), ("%C3%BC+", "ü+")] {
            assert_eq!(super::decode(encoded), decoded);
        }
    }
}
