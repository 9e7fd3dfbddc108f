//! What a route does beside leading somewhere: checked, and compiled.

use std::path::Path;

use super::Compiler;
use crate::modules::gateway::{
    adapters::{
        deprecation::Notices,
        mirror::Mirror,
        route::{Destination, Shaping},
        schema::RequestSchema,
        split::{Split, Sticky},
    },
    config::RouteConfig,
};

impl Compiler<'_> {
    /// Where a route leads: to its upstream, or to the first of its split.
    pub(super) fn route_destination(&mut self, number: usize, config: &RouteConfig) -> Option<Destination> {
        let key = |name: &str| format!("gateway.routes[{number}].{name}");
        let name = match (config.upstream.as_str(), config.split.as_slice()) {
            ("", []) => {
                self.fault(key("upstream"), "expected an upstream, a role, or a split of upstreams");
                return None;
            }
            ("", [first, ..]) => &first.upstream,
            (name, []) => name,
            (_, [_, ..]) => {
                self.fault(key("split"), "upstream and split exclude each other");
                return None;
            }
        };
        let to = self.destination(name);
        // An upstream that is there but has faults of its own is not missing.
        if to.is_none() && !self.is_named(name) && config.split.is_empty() {
            self.fault(key("upstream"), format!("there is no upstream and no role `{name}`"));
        }
        to
    }

    fn is_named(&self, name: &str) -> bool {
        self.config.upstreams.iter().any(|upstream| upstream.name == name)
    }

    /// The upstream of this name, for what needs one; a role is none.
    fn upstream_of(&mut self, key: String, name: &str) -> Option<usize> {
        if !self.is_named(name) {
            self.fault(key, format!("there is no upstream `{name}`"));
            return None;
        }
        self.upstream_number(name)
    }

    /// The rest of a route.
    pub(super) fn shaping(&mut self, number: usize, config: &RouteConfig) -> Shaping {
        let key = |name: &str| format!("gateway.routes[{number}].{name}");
        let mirror = config.mirror.as_ref().and_then(|mirror| {
            if !(1..=100).contains(&mirror.percent) {
                self.fault(key("mirror.percent"), "expected 1 to 100");
            }
            let upstream = self.upstream_of(key("mirror.upstream"), &mirror.upstream)?;
            Some(Mirror { upstream, percent: mirror.percent, body_limit: mirror.body_limit.0 })
        });
        let schema = config.request_schema.as_ref().and_then(|path| match RequestSchema::load(Path::new(path)) {
            Ok(schema) => Some(schema),
            Err(fault) => {
                self.fault(key("request_schema"), fault.detail);
                None
            }
        });
        let notices = config.deprecated.as_ref().and_then(|deprecated| match Notices::compile(deprecated) {
            Ok(notices) => Some(notices),
            Err((member, fault)) => {
                self.fault(key(&format!("deprecated.{member}")), fault.detail);
                None
            }
        });
        Shaping {
            split: self.split(number, config),
            mirror,
            schema,
            notices,
            uncompressed: config.compression == Some(false),
        }
    }

    fn split(&mut self, number: usize, config: &RouteConfig) -> Option<Split> {
        let key = |name: &str| format!("gateway.routes[{number}].{name}");
        let sticky = config.sticky.as_ref().and_then(|text| {
            let sticky = Sticky::parse(text);
            if sticky.is_none() {
                self.fault(key("sticky"), "expected cookie:NAME, user or client_ip");
            } else if config.split.is_empty() {
                self.fault(key("sticky"), "only a split can be sticky");
            }
            sticky
        });
        if config.split.is_empty() {
            return None;
        }
        if config.cache.is_some() {
            self.fault(
                key("cache"),
                "what is kept of one part of a split would be told for another; leave one of the two away",
            );
        }
        let mut shares = Vec::new();
        for (part, share) in config.split.iter().enumerate() {
            let upstream = self.upstream_of(key(&format!("split[{part}].upstream")), &share.upstream);
            shares.extend(upstream.map(|upstream| (upstream, share.percent)));
        }
        let all: u64 = config.split.iter().map(|share| u64::from(share.percent)).sum();
        if all != 100 {
            self.fault(key("split"), format!("expected percents that make 100 together, found {all}"));
        }
        Some(Split::new(&config.name, &shares, sticky))
    }
}
