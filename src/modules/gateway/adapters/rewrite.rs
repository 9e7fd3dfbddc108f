//! Changes to a request that goes on to a role in this process: its path, its headers, a bound on its body.

use actix_web::{
    HttpMessage as _,
    dev::{Payload, ServiceRequest},
    error::PayloadError,
    http::{Uri, uri::PathAndQuery},
};
use futures_util::{StreamExt as _, stream};

use super::route::Route;
use crate::platform::http::{Problem, problem::MALFORMED_REQUEST};

/// Gives the request another path before the router sees it.
pub(super) fn path(request: &mut ServiceRequest, uri: &Uri, path: &str) -> Result<(), Problem> {
    if uri.path() == path {
        return Ok(());
    }
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let refused = || Problem::new(&MALFORMED_REQUEST, "the path cannot be passed on");
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(bytes::Bytes::from(text)).map_err(|_| refused())?);
    let uri = Uri::from_parts(parts).map_err(|_| refused())?;
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
    Ok(())
}

/// Applies the route's rules to the request's headers.
pub(super) fn request_headers(request: &mut ServiceRequest, route: &Route, parameters: &[&str]) {
    let headers = request.headers_mut();
    for name in &route.request_headers.remove {
        headers.remove(name);
    }
    for (name, text) in &route.request_headers.set {
        if let Some(value) = text.value(parameters) {
            headers.insert(name.clone(), value);
        }
    }
}

/// Ends a body of unknown length when it grows beyond the limit.
pub(super) fn bound_body(request: &mut ServiceRequest, limit: u64) {
    let payload = request.take_payload();
    let bounded = stream::unfold((payload, limit), |(mut payload, left)| async move {
        let chunk = match payload.next().await? {
            Ok(chunk) => chunk,
            Err(error) => return Some((Err(error), (payload, left))),
        };
        match left.checked_sub(chunk.len() as u64) {
            Some(left) => Some((Ok(chunk), (payload, left))),
            None => Some((Err(PayloadError::Overflow), (Payload::None, 0))),
        }
    });
    request.set_payload(Payload::Stream { payload: Box::pin(bounded) });
}
