//! `POST {admin_prefix}/reload`: reads the configuration again.

use std::sync::{Arc, OnceLock};

use actix_web::{HttpResponse, web};
use async_trait::async_trait;
use serde::Serialize;
use serde_json::json;

use super::problems::CONFIGURATION_REFUSED;
use crate::{
    config::Fault,
    platform::http::{
        Problem,
        authentication::Caller,
        problem::{INTERNAL, UNAVAILABLE},
    },
};

/// The permission to change what the gateway does.
const WRITE: &str = "gateway:write";

/// What a configuration that was read again changed. Keys are the full ones of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Reloaded {
    /// The settings that are in effect from now on and were not before.
    pub applied: Vec<String>,
    /// The settings that are not as at the start, and that a start alone can put into effect.
    pub needs_restart: Vec<String>,
}

/// Why a configuration that was read again is not in effect. The one before still is.
#[derive(Debug)]
pub enum ReloadFault {
    /// It has these faults.
    Refused(Vec<Fault>),
    /// Something else went wrong.
    Failed(String),
}

/// Who can read the configuration again.
#[async_trait]
pub trait Reload: Send + Sync {
    /// Reads all layers, and puts into effect what can be; all of it or nothing.
    async fn reload(&self) -> Result<Reloaded, ReloadFault>;
}

/// Whom the administration asks, as application data.
#[derive(Default)]
pub(super) struct Reloader(pub(super) OnceLock<Arc<dyn Reload>>);

/// Reads the configuration again: files, environment and flags. Routes, upstreams and policies change without a request
/// lost; a configuration with faults changes nothing.
#[utoipa::path(
    post,
    path = "/admin/reload",
    tag = "gateway",
    responses(
        (status = 200, description = "What is in effect from now on, and what waits for a restart", body = Reloaded),
        (status = 401, description = "No valid access token"),
        (status = 403, description = "The token lacks gateway:write"),
        (status = 422, description = "The configuration has faults; `errors` names every one"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn reload(caller: Caller, reloader: web::Data<Reloader>) -> Result<HttpResponse, Problem> {
    caller.must(WRITE)?;
    let Some(reloader) = reloader.0.get() else {
        return Err(Problem::new(&UNAVAILABLE, "this process has no configuration to read again"));
    };
    match reloader.reload().await {
        Ok(done) => Ok(HttpResponse::Ok().json(done)),
        Err(ReloadFault::Refused(faults)) => Err(refused(&faults)),
        Err(ReloadFault::Failed(why)) => Err(Problem::new(&INTERNAL, why)),
    }
}

fn refused(faults: &[Fault]) -> Problem {
    let errors = faults.iter().map(|fault| {
        let pointer = fault.key.as_deref().map(pointer).unwrap_or_default();
        json!({"pointer": pointer, "code": "invalid", "detail": fault.detail, "place": fault.place.to_string()})
    });
    let errors: Vec<_> = errors.collect();
    let detail = format!("the configuration has faults ({}); the one before is still in effect", errors.len());
    Problem::new(&CONFIGURATION_REFUSED, detail).with_member("errors", errors.into())
}

/// `gateway.routes[0].path` as a JSON pointer.
fn pointer(key: &str) -> String {
    let parts = key.split(['.', '[', ']']).filter(|part| !part.is_empty());
    parts.flat_map(|part| ["/", part]).collect()
}
