//! `GET {admin_prefix}/cache` and `POST {admin_prefix}/cache/purge`.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::{Cache, key, purge::Purge};
use crate::{
    kernel::error::ValueFault,
    modules::gateway::adapters::admin::SharedHandle,
    platform::http::{Fields, Problem, authentication::Caller},
};

const READ: &str = "gateway:read";
const WRITE: &str = "gateway:write";

/// The cache of the instance that answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct CacheState {
    /// URLs of which something is kept.
    urls: u64,
    /// What that takes in memory, about.
    bytes: u64,
    max_bytes: u64,
    /// What answers take now that are on their way and are to be kept.
    collecting_bytes: usize,
    /// Answers that are being fetched for more than one request.
    in_flight: usize,
    /// Requests that were answered from what is kept, since the start.
    hits: u64,
    /// Requests that could have been.
    lookups: u64,
    /// Whether instances share what they keep.
    shared: bool,
}

/// What was forgotten.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Purged {
    /// URLs of which something was kept at the instance that answers.
    purged: u64,
}

/// What is to be forgotten: one of these.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the document")]
pub(crate) struct PurgeBody {
    /// A URL, as it is asked for at the front door.
    key: Option<String>,
    /// What answers carry in `Cache-Tag` or `Surrogate-Key`.
    tag: Option<String>,
    /// How URLs begin.
    prefix: Option<String>,
    /// True: everything.
    all: Option<bool>,
}

impl Cache {
    fn state(&self) -> CacheState {
        let (urls, bytes) = self.store.size();
        let (hits, lookups) = self.meters.counts();
        CacheState {
            urls,
            bytes,
            max_bytes: self.max_bytes,
            collecting_bytes: self.room.taken(),
            in_flight: self.flights.count(),
            hits,
            lookups,
            shared: self.second.is_some(),
        }
    }
}

/// Shows sizes and counts.
#[utoipa::path(
    get,
    path = "/admin/cache",
    tag = "gateway",
    responses(
        (status = 200, description = "The cache of the instance that answers", body = CacheState),
        (status = 401, description = "No valid access token"),
        (status = 403, description = "The token lacks gateway:read"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::modules::gateway::adapters) async fn show_cache(
    caller: Caller,
    shared: web::Data<SharedHandle>,
) -> Result<HttpResponse, Problem> {
    caller.must(READ)?;
    Ok(HttpResponse::Ok().json(shared.0.current().cache.state()))
}

/// Forgets, at every instance.
#[utoipa::path(
    post,
    path = "/admin/cache/purge",
    tag = "gateway",
    request_body = PurgeBody,
    responses(
        (status = 200, description = "It is forgotten", body = Purged),
        (status = 400, description = "The body is no JSON"),
        (status = 401, description = "No valid access token"),
        (status = 403, description = "The token lacks gateway:write"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "The body is not application/json"),
        (status = 422, description = "The body names not exactly one of key, tag, prefix and all"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::modules::gateway::adapters) async fn purge_cache(
    caller: Caller,
    shared: web::Data<SharedHandle>,
    body: Fields,
) -> Result<HttpResponse, Problem> {
    caller.must(WRITE)?;
    let purge = read(body)?;
    tracing::info!(event = "cache_purged", what = ?purge);
    Ok(HttpResponse::Ok().json(Purged { purged: shared.0.current().cache.purge(purge) }))
}

/// What the body names: exactly one.
fn read(mut fields: Fields) -> Result<Purge, Problem> {
    let key = fields.optional("key", |text| {
        let url = Url::parse(text).ok().and_then(|url| key::of_url(&url));
        url.ok_or_else(|| {
            ValueFault::new("invalid-url", "expected a URL such as \"https://shop.example/items?page=2\"")
        })
    });
    let text = |text: &str| match text {
        "" => Err(ValueFault::new("empty", "expected a text")),
        text => Ok(text.to_owned()),
    };
    let (tag, prefix) = (fields.optional("tag", text), fields.optional("prefix", text));
    let all = match fields.take("all") {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(true),
        Some(_) => {
            fields.fault("all", "wrong-type", "expected true");
            None
        }
    };
    let named = [key.map(Purge::Key), tag.map(Purge::Tag), prefix.map(Purge::Prefix), all.map(Purge::All)];
    let mut named: Vec<Purge> = named.into_iter().flatten().collect();
    let only = named.pop();
    if only.is_none() || !named.is_empty() {
        fields.fault_at("", "one-of", "expected exactly one of key, tag, prefix and all");
    }
    fields.finish()?;
    only.ok_or_else(|| Problem::invalid(Vec::new()))
}

/// The operations of this file, for the OpenAPI document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(show_cache, purge_cache))]
pub(in crate::modules::gateway::adapters) struct CacheApi;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Purge, usize> {
        super::read(Fields::parse(body.as_bytes()).expect("an object")).map_err(|problem| {
            let body: Value = serde_json::from_slice(&problem.body("", "")).expect("JSON");
            body["errors"].as_array().map_or(0, Vec::len)
        })
    }

    #[test]
    fn exactly_one_thing_is_named() {
        assert_eq!(read(r#"{"key": "HTTP://Shop.Example:80/a?b"}"#), Ok(Purge::Key("http://shop.example/a?b".into())));
        assert_eq!(read(r#"{"tag": "one", "key": null}"#), Ok(Purge::Tag("one".to_owned())));
        assert_eq!(read(r#"{"prefix": "http://a/"}"#), Ok(Purge::Prefix("http://a/".to_owned())));
        assert_eq!(read(r#"{"all": true}"#), Ok(Purge::All(true)));
        for (body, faults) in [
            ("{}", 1),
            (r#"{"all": false}"#, 1),
            (r#"{"tag": "a", "all": true}"#, 1),
            (r#"{"tag": "", "more": 1}"#, 3),
            (r#"{"key": "/a"}"#, 2),
            (r#"{"all": 1}"#, 2),
        ] {
            assert_eq!(read(body), Err(faults), "{body}");
        }
    }
}
