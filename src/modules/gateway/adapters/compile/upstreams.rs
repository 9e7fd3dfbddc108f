//! Upstreams of the configuration: checked, and put together.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::Value as Json;

use super::{Compiler, Surroundings, is_plain_name};
use crate::{
    kernel::{Role, units::Span},
    modules::gateway::{
        Placement,
        adapters::{
            dns::{Kind, MOST_ADDRESSES, Name},
            target::Target,
            upstream::{HashOn, Upstream, UpstreamParts},
        },
        config::{Balance, BreakerConfig, MaxInFlight, TargetConfig, UpstreamConfig, UpstreamProtocol},
        domain::path::canonical,
    },
};

/// Weighted turns are laid out in memory, so weights have a bound.
const MOST_WEIGHT: u32 = 1000;

/// More targets are not asked beside the first.
const MOST_HEDGES: u32 = 3;

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
        let (mut targets, mut names) = (Vec::new(), Vec::new());
        if config.targets.is_empty() {
            self.fault(format!("{key}.targets"), "expected at least one target");
        }
        for (number, target) in config.targets.iter().enumerate() {
            let place = if is_role { key.to_owned() } else { format!("{key}.targets[{number}]") };
            let from = targets.len();
            if !(1..=MOST_WEIGHT).contains(&target.weight) {
                self.fault(format!("{place}.weight"), format!("expected 1 to {MOST_WEIGHT}"));
            }
            if target.dns.is_some() || target.srv.is_some() {
                let kind = self.named_target(&place, target, &mut targets);
                names.extend(kind.map(|kind| Name { kind, slots: from..targets.len() }));
                continue;
            }
            match Target::parse(&target.url, target.weight) {
                Ok(target) => targets.push(target),
                Err(fault) => self.fault(if is_role { place } else { format!("{place}.url") }, fault.detail),
            }
        }
        self.target_protocol(key, config, &mut targets);
        self.check_upstream(key, config);
        if self.faults.len() == before {
            self.upstreams
                .push(self.kept(config).unwrap_or_else(|| Arc::new(self.fresh(config, targets, names, is_role))));
        }
    }

    /// The slots of a target by name, and what is looked up for them.
    fn named_target(&mut self, place: &str, config: &TargetConfig, targets: &mut Vec<Target>) -> Option<Kind> {
        let (key, url) = match (config.url.as_str(), &config.dns, &config.srv) {
            ("", Some(url), None) => ("dns", url.clone()),
            ("", None, Some(name)) => {
                let scheme = if name.starts_with("_https.") { "https" } else { "http" };
                let host = name.splitn(3, '.').nth(2).filter(|_| name.starts_with('_') && name.contains("._tcp."));
                let Some(host) = host else {
                    self.fault(format!("{place}.srv"), "expected a service such as \"_http._tcp.example.org\"");
                    return None;
                };
                ("srv", format!("{scheme}://{}", host.trim_end_matches('.')))
            }
            _ => {
                self.fault(place, "expected one of url, dns and srv");
                return None;
            }
        };
        for _ in 0..MOST_ADDRESSES {
            match Target::parse(&url, config.weight) {
                Ok(target) => targets.push(target.into_slot()),
                Err(fault) => {
                    self.fault(format!("{place}.{key}"), fault.detail);
                    return None;
                }
            }
        }
        let endpoint = &targets.last()?.endpoint;
        Some(match &config.srv {
            Some(name) => Kind::Service(name.clone()),
            None => Kind::Host(endpoint.host.clone(), endpoint.port),
        })
    }

    /// The upstream of the configuration before, when it is as it was: its breaker, counts and health go on.
    fn kept(&self, config: &UpstreamConfig) -> Option<Arc<Upstream>> {
        let before = self.around.before.iter().find(|before| before.name == config.name)?;
        (before.settings == self.settings(config)).then(|| before.clone())
    }

    /// All that an upstream is made of.
    fn settings(&self, config: &UpstreamConfig) -> Json {
        let mut settings = serde_json::to_value(config).unwrap_or_default();
        if config.targets.iter().any(|target| target.url.is_empty()) {
            settings["dns"] = serde_json::to_value(&self.config.dns).unwrap_or_default();
        }
        settings
    }

    /// A new upstream. Its targets take over what is known of the same ones before.
    fn fresh(&self, config: &UpstreamConfig, mut targets: Vec<Target>, names: Vec<Name>, is_role: bool) -> Upstream {
        let settings = self.settings(config);
        if let Some(before) = self.around.before.iter().find(|before| before.name == config.name) {
            let same_connections = connection_settings(&before.settings) == connection_settings(&settings);
            let is_checked = before.health.is_some() && config.health.is_some();
            for (number, target) in targets.iter_mut().enumerate() {
                let is_same = |same: &&Target| same.url == target.url && same.slot.is_some() == target.slot.is_some();
                let same = match target.slot {
                    None => before.targets.iter().find(is_same),
                    // Slots of a name are all alike, but for their place.
                    Some(_) => before.targets.get(number).filter(is_same),
                };
                if let Some(same) = same {
                    target.take_over(same, same_connections, is_checked);
                }
            }
        }
        let Surroundings { clock, random, started, .. } = self.around;
        let parts = UpstreamParts { settings, targets, names, is_role };
        Upstream::new(config, parts, clock, random, *started)
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
        if (1..100).contains(&config.hash_balance_factor) {
            self.fault(format!("{key}.hash_balance_factor"), "expected 100 or more percent, or 0 for no bound");
        }
        let mut least_one: Vec<(&str, u64)> = vec![
            ("max_in_flight", u64::from(!matches!(config.max_in_flight, MaxInFlight::Fixed(0)))),
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
        spans.extend(config.slow_start.map(|span| ("slow_start", span)));
        spans.extend(config.outlier.iter().filter_map(|outlier| Some(("outlier.latency", outlier.latency?))));
        spans.extend(
            config.health.iter().flat_map(|h| [("health.interval", h.interval), ("health.timeout", h.timeout)]),
        );
        for (name, span) in spans {
            if span.get() == Duration::ZERO {
                self.fault(format!("{key}.{name}"), "expected more than no time");
            }
        }
        if let Some(hedge) = &config.hedge {
            if !(1..=MOST_HEDGES).contains(&hedge.max) {
                self.fault(format!("{key}.hedge.max"), format!("expected 1 to {MOST_HEDGES}"));
            }
            if hedge.after.get() == Duration::ZERO {
                self.fault(format!("{key}.hedge.after"), "expected more than no time");
            }
        }
        if config.panic_percent > 100 {
            self.fault(format!("{key}.panic_percent"), "expected 0 to 100");
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

/// The settings that decide how a connection is made, whatever there may be: all but these, and the targets' addresses
/// which are compared one by one.
fn connection_settings(settings: &Json) -> Json {
    const OTHERS: [&str; 15] = [
        "targets",
        "balance",
        "hash_on",
        "hash_balance_factor",
        "connect_timeout",
        "timeout",
        "idle_timeout",
        "max_in_flight",
        "health",
        "outlier",
        "breaker",
        "retry",
        "hedge",
        "panic_percent",
        "slow_start",
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
        targets: vec![TargetConfig { url: url.to_owned(), dns: None, srv: None, weight: 1 }],
        balance: Balance::RoundRobin,
        hash_on: None,
        hash_balance_factor: 0,
        connect_timeout: Span::secs(1),
        // Hashing a password and fanning out take their time, and both have deadlines of their own.
        timeout: Span::secs(30),
        idle_timeout: Span::secs(60),
        max_in_flight: MaxInFlight::Fixed(1024),
        health: None,
        outlier: None,
        breaker: breaker.clone(),
        retry: None,
        tls: None,
        protocol: UpstreamProtocol::Http1,
        hedge: None,
        panic_percent: 0,
        slow_start: None,
    }
}
