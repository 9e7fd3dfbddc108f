//! Other issuers, and which of them a route takes: checked, and put together.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{Compiler, is_plain_name};
use crate::modules::gateway::{
    adapters::{
        issuers::{Acceptance, Issuer, is_fetchable},
        route::Destination,
    },
    config::{IssuerConfig, OWN_ISSUER, RouteAuth, RouteConfig},
};

impl Compiler<'_> {
    /// Every other issuer. One that is as it was goes on with its keys.
    pub(super) fn issuers(&mut self) {
        let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
        for (number, issuer) in self.config.issuers.iter().enumerate() {
            let key = |name: &str| format!("gateway.issuers[{number}].{name}");
            if !is_plain_name(&issuer.name) || issuer.name == OWN_ISSUER {
                self.fault(key("name"), "expected letters, digits, `.`, `_` and `-`, and not `self`, which is us");
            }
            if !names.insert(issuer.name.as_str()) {
                self.fault(key("name"), format!("there are two issuers `{}`", issuer.name));
            }
            if !addresses.insert(issuer.issuer.as_str()) {
                self.fault(key("issuer"), "there is another with this `iss`");
            }
            self.check_issuer(&key, issuer);
            let before = self.around.issuers_before.iter().find(|before| before.config == *issuer);
            let issuer = before.cloned().unwrap_or_else(|| Arc::new(Issuer::new(issuer, &self.around.clock)));
            self.issuers.push(issuer);
        }
    }

    fn check_issuer(&mut self, key: &impl Fn(&str) -> String, issuer: &IssuerConfig) {
        const EXPECTED: &str = "expected an https address (http on this very machine)";
        if issuer.issuer.is_empty() || (issuer.jwks_url.is_none() && !is_fetchable(&issuer.issuer)) {
            self.fault(key("issuer"), EXPECTED);
        }
        if issuer.jwks_url.as_ref().is_some_and(|url| !is_fetchable(url)) {
            self.fault(key("jwks_url"), EXPECTED);
        }
        if issuer.audience.is_empty() {
            self.fault(key("audience"), "expected what the issuer's tokens call this service");
        }
        let is_shared = |algorithm: &crate::platform::tokens::SigningAlgorithm| algorithm.as_str() == "HS256";
        if issuer.algorithms.is_empty() || issuer.algorithms.iter().any(is_shared) {
            self.fault(key("algorithms"), "expected ES256, RS256 or EdDSA");
        }
        let spans = [
            ("refresh", issuer.refresh),
            ("cooldown", issuer.cooldown),
            ("max_age", issuer.max_age),
            ("timeout", issuer.timeout),
        ];
        for (name, span) in spans {
            if span.get() == Duration::ZERO {
                self.fault(key(name), "expected more than no time");
            }
        }
        if issuer.max_age.get() < issuer.refresh.get() {
            self.fault(key("max_age"), "expected at least `refresh`");
        }
    }

    /// Whose tokens a route takes; `None`: ours alone.
    pub(super) fn acceptance(
        &mut self,
        key: &str,
        config: &RouteConfig,
        to: Option<Destination>,
    ) -> Option<Arc<Acceptance>> {
        let names = config.issuers.as_ref()?;
        if names.is_empty() {
            self.fault(key, "expected at least one issuer; leave the key away for our own");
        }
        if config.auth == RouteAuth::None {
            self.fault(key, "issuers need auth = \"required\" or \"optional\"");
        }
        let mut others = Vec::new();
        for (number, name) in names.iter().enumerate().filter(|(_, name)| *name != OWN_ISSUER) {
            match self.issuers.iter().find(|issuer| issuer.config.name == *name) {
                Some(issuer) => others.push(issuer.clone()),
                None => self.fault(format!("{key}[{number}]"), format!("there is no issuer `{name}`")),
            }
        }
        let is_role = match to {
            Some(Destination::Upstream(number)) => self.upstreams.get(number).is_some_and(|upstream| upstream.is_role),
            Some(Destination::Local(_) | Destination::Open) => true,
            None => false,
        };
        if is_role && !others.is_empty() {
            self.fault(key, "a role judges tokens itself and takes ours alone");
        }
        Some(Arc::new(Acceptance { own: names.iter().any(|name| name == OWN_ISSUER), others }))
    }
}
