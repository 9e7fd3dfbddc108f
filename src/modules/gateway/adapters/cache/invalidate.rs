//! What changes something makes what is kept of it invalid (RFC 9111 §4.4).

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    body::BoxBody,
    http::header::{CONTENT_LOCATION, HeaderMap, LOCATION},
};

use super::{
    Call, key,
    told::{Forwarded, Outcome, Story},
};
use crate::{modules::gateway::adapters::proxy, platform::http::Problem};

/// Calls the upstream by an unsafe method; its success invalidates what it was about.
pub(super) async fn unsafe_call(call: &Call<'_>, key: &Arc<str>) -> Result<HttpResponse<BoxBody>, Problem> {
    call.cache.meters.count(Outcome::Bypass);
    let mut response = proxy::call(call.upstream, call.pool, call.outgoing, call.hash_key, call.deadline).await?;
    if response.status().is_success() || response.status().is_redirection() {
        call.cache.forget(key);
        for other in named(response.headers(), key) {
            call.cache.forget(&other);
        }
    }
    Story { forwarded: Some(Forwarded::Method), ..Story::default() }.tell(response.headers_mut());
    Ok(response)
}

/// What the answer names beside, where that is of the same origin.
fn named(headers: &HeaderMap, key: &str) -> Vec<Arc<str>> {
    let values = [LOCATION, CONTENT_LOCATION].into_iter().filter_map(|name| headers.get(name)?.to_str().ok());
    values.filter_map(|reference| key::of_reference(key, reference)).collect()
}
