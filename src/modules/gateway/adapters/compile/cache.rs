//! The cache's settings: checked, and what each route keeps compiled.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::Compiler;
use crate::{
    kernel::units::Span,
    modules::gateway::{
        adapters::{cache::CacheRules, route::Destination},
        config::RouteConfig,
    },
};

impl Compiler<'_> {
    pub(super) fn check_cache(&mut self) {
        let cache = self.config.cache.clone();
        let mut expect = |holds: bool, name: &str, detail: &str| {
            if !holds {
                self.fault(format!("gateway.cache.{name}"), detail);
            }
        };
        expect(cache.max_entry_bytes.0 > 0, "max_entry_bytes", "expected more than nothing");
        expect(cache.max_entry_bytes.0 <= cache.max_bytes.0, "max_entry_bytes", "expected at most max_bytes");
        expect(cache.max_entry_bytes.0 < 1 << 31, "max_entry_bytes", "expected less than 2GiB");
        expect(cache.max_variants > 0, "max_variants", "expected at least 1");
    }

    /// What a route keeps. Its identity is made of all that decides what its answers are, so that what was kept under
    /// another configuration is never found.
    pub(super) fn cache(
        &mut self,
        number: usize,
        config: &RouteConfig,
        to: Option<Destination>,
    ) -> Option<Arc<CacheRules>> {
        let cache = config.cache.as_ref()?;
        let is_role = match to {
            Some(Destination::Upstream(number)) => self.upstreams[number].is_role,
            Some(Destination::Local(_) | Destination::Open) => true,
            None => false,
        };
        if is_role {
            let key = format!("gateway.routes[{number}].cache");
            self.fault(key, "the answers of a role are not cached here; lead the route to an upstream");
            return None;
        }
        let upstream = self.config.upstreams.iter().find(|upstream| upstream.name == config.upstream);
        let text = serde_json::to_vec(&(config, upstream)).unwrap_or_default();
        let mut identity = [0; 16];
        identity.copy_from_slice(&digest(&SHA256, &text).as_ref()[..16]);
        Some(Arc::new(CacheRules {
            identity,
            ttl: cache.ttl.map(Span::get).filter(|ttl| !ttl.is_zero()),
            stale_while_revalidate: cache.stale_while_revalidate.map(Span::get).unwrap_or_default(),
            stale_if_error: cache.stale_if_error.map(Span::get).unwrap_or_default(),
        }))
    }
}
