//! How this process shows other processes of its installation that it belongs to it, and how it knows them.

use std::sync::Arc;

use super::RoleSet;
use crate::{
    config::Config,
    kernel::{Clock, Role},
    platform::siblings::{SiblingSigner, SiblingVerifier},
};

/// What this process signs its calls with.
pub(super) fn signer(config: &Config, clock: &Arc<dyn Clock>) -> Option<SiblingSigner> {
    let secret = config.services.secret.as_ref()?;
    Some(SiblingSigner::new(secret, clock.clone()))
}

/// Who judges the calls that come. Behind the gateway of the same process nobody does: everything comes through it, and it
/// leads nobody to what is internal.
pub(super) fn verifier(config: &Config, roles: &RoleSet, clock: &Arc<dyn Clock>) -> Option<Arc<SiblingVerifier>> {
    if roles.has(Role::Gateway) {
        return None;
    }
    let services = &config.services;
    let Some(secret) = &services.secret else {
        if !is_development(&config.auth.issuer) {
            let detail = "without services.secret every peer is taken for a process of this installation; keep the network private";
            tracing::warn!(event = "siblings_not_known", detail);
        }
        return None;
    };
    let secrets = std::iter::once(secret).chain(&services.previous_secrets).map(String::as_str);
    Some(Arc::new(SiblingVerifier::new(secrets, roles.iter().collect(), clock.clone())))
}

/// An installation whose front door nobody else can reach.
fn is_development(issuer: &str) -> bool {
    let host = issuer.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
