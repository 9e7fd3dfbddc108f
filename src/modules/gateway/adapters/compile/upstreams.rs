//! Upstreams of the configuration: checked, and put together.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::Value as Json;

use super::{Compiler, Surroundings, is_plain_name};
use crate::{
    kernel::{Role, units::Span},
    modules::gateway::{
        Placement,
        adapters::{
            target::Target,
            upstream::{HashOn, Upstream},
        },
        config::{Balance, BreakerConfig, TargetConfig, UpstreamConfig, UpstreamProtocol},
        domain::path::canonical,
    },
};

/// Weighted turns are laid out in memory, so weights have a bound.
const MOST_WEIGHT: u32 = 1000;

impl Compiler<'_> {
    /// Every upstream of the configuration, and one for each role that runs elsewhere.
    pub(super) fn upstreams(&mut self) {
        let mut names = HashSet::new();
        for (number, upstream) in self.config.upstreams.iter().enumerate() {
            let key = format!("gateway.upstreams[{number}]");
            if !is_plain_name(&upstream.name) {
                self.fault(format!("{key}.name"), "expected letters, digits, `.`, `_` and `-`");
            }
            if upstream.name.parse::<Role>().is_ok() {
                self.fault(format!("{key}.name"), format!("`{}` is a role; take another name", upstream.name));
            }
            if !names.insert(upstream.name.as_str()) {
                self.fault(format!("{key}.name"), format!("there are two upstreams `{}`", upstream.name));
            }
            self.upstream(&key, upstream, false);
        }
        let mut placed = HashSet::new();
        for role in self.around.roles {
            if let (Placement::Remote(url), true) = (&role.placement, placed.insert(role.role)) {
                self.upstream(
                    &format!("services.{}", role.role),
                    &role_upstream(role.role, url, &self.config.breaker),
                    true,
                );
            }
        }
    }

    fn upstream(&mut self, key: &str, config: &UpstreamConfig, is_role: bool) {
        let before = self.faults.len();
        let mut targets = Vec::new();
        if config.targets.is_empty() {
            self.fault(format!("{key}.targets"), "expected at least one target");
        }
        for (number, target) in config.targets.iter().enumerate() {
            let place = if is_role { key.to_owned() } else { format!("{key}.targets[{number}]") };
            if !(1..=MOST_WEIGHT).contains(&target.weight) {
                self.fault(format!("{place}.weight"), format!("expected 1 to {MOST_WEIGHT}"));
            }
            match Target::parse(&target.url, target.weight) {
                Ok(target) => targets.push(target),
                Err(fault) => self.fault(if is_role { place } else { format!("{place}.url") }, fault.detail),
            }
        }
        self.target_protocol(key, config, &mut targets);
        self.check_upstream(key, config);
        if self.faults.len() == before {
            self.upstreams.push(self.kept(config).unwrap_or_else(|| Arc::new(self.fresh(config, targets, is_role))));
        }
    }

    /// The upstream of the configuration before, when it is as it was: its breaker, counts and health go on.
    fn kept(&self, config: &UpstreamConfig) -> Option<Arc<Upstream>> {
        let before = self.around.before.iter().find(|before| before.name == config.name)?;
        (before.settings == settings(config)).then(|| before.clone())
    }

    /// A new upstream. Its targets take over what is known of the same ones before.
    fn fresh(&self, config: &UpstreamConfig, mut targets: Vec<Target>, is_role: bool) -> Upstream {
        let settings = settings(config);
        if let Some(before) = self.around.before.iter().find(|before| before.name == config.name) {
            let same_connections = connection_settings(&before.settings) == connection_settings(&settings);
            let is_checked = before.health.is_some() && config.health.is_some();
            for target in &mut targets {
                if let Some(same) = before.targets.iter().find(|same| same.url == target.url) {
                    target.take_over(same, same_connections, is_checked);
                }
            }
        }
        let Surroundings { clock, random, started, .. } = self.around;
        Upstream::new(config, settings, targets, is_role, clock, random, *started)
    }

    fn check_upstream(&mut self, key: &str, config: &UpstreamConfig) {
        match (config.balance, &config.hash_on) {
            (Balance::ConsistentHash, None) => {
                self.fault(
                    format!("{key}.hash_on"),
                    "consistent_hash needs client_ip, user, header:NAME or cookie:NAME",
                );
            }
            (_, Some(text)) if HashOn::parse(text).is_none() => {
                self.fault(format!("{key}.hash_on"), "expected client_ip, user, header:NAME or cookie:NAME");
            }
            _ => {}
        }
        let mut least_one: Vec<(&str, u64)> = vec![
            ("max_in_flight", config.max_in_flight as u64),
            ("breaker.failures", config.breaker.failures.into()),
            ("breaker.half_open_requests", config.breaker.half_open_requests.into()),
        ];
        if let Some(health) = &config.health {
            least_one.push(("health.healthy_after", health.healthy_after.into()));
            least_one.push(("health.unhealthy_after", health.unhealthy_after.into()));
            if canonical(&health.path).as_deref() != Ok(health.path.as_str()) {
                self.fault(format!("{key}.health.path"), "expected a path such as \"/health\"");
            }
        }
        if let Some(outlier) = &config.outlier {
            least_one.push(("outlier.consecutive_failures", outlier.consecutive_failures.into()));
            if outlier.max_ejected_percent > 100 {
                self.fault(format!("{key}.outlier.max_ejected_percent"), "expected 0 to 100");
            }
        }
        for (name, value) in least_one {
            if value == 0 {
                self.fault(format!("{key}.{name}"), "expected at least 1");
            }
        }
        let mut spans: Vec<(&str, Span)> = vec![
            ("connect_timeout", config.connect_timeout),
            ("timeout", config.timeout),
            ("idle_timeout", config.idle_timeout),
            ("breaker.window", config.breaker.window),
        ];
        spans.extend(
            config.health.iter().flat_map(|h| [("health.interval", h.interval), ("health.timeout", h.timeout)]),
        );
        for (name, span) in spans {
            if span.get() == Duration::ZERO {
                self.fault(format!("{key}.{name}"), "expected more than no time");
            }
        }
        let Some(retry) = &config.retry else { return };
        for (number, on) in retry.on.iter().enumerate() {
            let is_status = on.parse().is_ok_and(|status: u16| (502..=504).contains(&status));
            if !is_status && on != "connect" && on != "reset" {
                self.fault(format!("{key}.retry.on[{number}]"), "expected connect, reset, 502, 503 or 504");
            }
        }
        if retry.budget_percent > 100 {
            self.fault(format!("{key}.retry.budget_percent"), "expected 0 to 100");
        }
    }
}

fn settings(config: &UpstreamConfig) -> Json {
    serde_json::to_value(config).unwrap_or_default()
}

/// The settings that decide how a connection is made, whatever there may be: all but these, and the targets' addresses
/// which are compared one by one.
fn connection_settings(settings: &Json) -> Json {
    const OTHERS: [&str; 11] = [
        "targets",
        "balance",
        "hash_on",
        "connect_timeout",
        "timeout",
        "idle_timeout",
        "max_in_flight",
        "health",
        "outlier",
        "breaker",
        "retry",
    ];
    let mut settings = settings.clone();
    if let Some(members) = settings.as_object_mut() {
        members.retain(|name, _| !OTHERS.contains(&name.as_str()));
    }
    settings
}

/// A role that runs elsewhere, as an upstream with defaults.
fn role_upstream(role: Role, url: &str, breaker: &BreakerConfig) -> UpstreamConfig {
    UpstreamConfig {
        name: role.as_str().to_owned(),
        targets: vec![TargetConfig { url: url.to_owned(), weight: 1 }],
        balance: Balance::RoundRobin,
        hash_on: None,
        connect_timeout: Span::secs(1),
        // Hashing a password and fanning out take their time, and both have deadlines of their own.
        timeout: Span::secs(30),
        idle_timeout: Span::secs(60),
        max_in_flight: 1024,
        health: None,
        outlier: None,
        breaker: breaker.clone(),
        retry: None,
        tls: None,
        protocol: UpstreamProtocol::Http1,
    }
}
