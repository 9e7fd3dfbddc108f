//! Configured endpoints below `/data`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    super::super::{
        application::{
            catalogue::{Access, Endpoint},
            run_endpoint::texts,
        },
        domain::freshness::Freshness,
    },
    UseCases,
    aggregate::count,
    context::{Explained, WithTimeline, explain, headers, query, text},
    honest::{Honest, strong},
};
use crate::platform::http::{
    Problem,
    authentication::{Identity, identify, refusal},
};

/// Headers that programs do not see.
pub(crate) const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Answers a configured endpoint.
pub(super) async fn serve(
    endpoint: Arc<Endpoint>,
    request: HttpRequest,
    use_cases: web::Data<UseCases>,
) -> Result<HttpResponse, Problem> {
    authorise(endpoint.access, &request)?;
    let query = query(&request)?;
    let explain = explain(&request, &query)?;
    let headers = headers(&request);
    let path: Vec<(String, String)> =
        request.match_info().iter().map(|(name, value)| (name.to_owned(), decode(value))).collect();
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
        let (freshness, vary) = (Freshness::NO_STORE, &endpoint.vary);
        let honest = Honest { complete: answer.complete, freshness, vary, tag: None };
        return Ok(honest.answer(&request, text(&body)?));
    }
    let body = answer.response.get().as_bytes().to_vec();
    let (freshness, tag) = (answer.freshness, Some(strong(&body)));
    let honest = Honest { complete: answer.complete, freshness, vary: &endpoint.vary, tag };
    Ok(honest.answer(&request, body))
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
