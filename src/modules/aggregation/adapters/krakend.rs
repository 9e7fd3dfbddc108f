//! Configurations of KrakenD (version 3 of its format, JSON) as ours: the endpoints that read, with their backends. What has
//! no counterpart is named with its place, and nothing is taken over that our own check would refuse.

mod backend;
mod endpoint;
mod program;
mod write;

use serde_json::{Map, Value, json};

use super::{
    super::{api::Imported, config::AggregationConfig},
    compile::compile,
    jaq::Jaq,
};
use crate::kernel::SettingFault;

/// Keys of the whole file that are used or mean nothing here.
const KNOWN: [&str; 6] = ["version", "name", "host", "timeout", "cache_ttl", "endpoints"];

/// What is read of a file.
struct Reading<'a> {
    /// The whole file.
    root: &'a Map<String, Value>,
    notes: Vec<String>,
    sources: Vec<Value>,
    endpoints: Vec<Taken>,
}

/// An endpoint that was taken over.
struct Taken {
    /// Where it stood.
    place: String,
    endpoint: Value,
}

impl Taken {
    fn uses(&self, source: &Value) -> bool {
        let steps = self.endpoint["steps"].as_array();
        steps.is_some_and(|steps| steps.iter().any(|step| step["source"] == *source))
    }
}

/// Takes a configuration over. The error says why it is none.
pub fn import(text: &str) -> Result<Imported, String> {
    let file: Value = serde_json::from_str(text).map_err(|fault| format!("not JSON: {fault}"))?;
    let root = file.as_object().ok_or("expected an object")?;
    let listed = root.get("endpoints").and_then(Value::as_array).ok_or("expected `endpoints`, an array")?;
    if root.get("version").and_then(Value::as_u64) != Some(3) {
        return Err("expected `version` 3, the format of KrakenD 2.0 and later".to_owned());
    }
    let mut reading = Reading { root, notes: Vec::new(), sources: Vec::new(), endpoints: Vec::new() };
    reading.left_out("", root, &KNOWN);
    for (index, endpoint) in listed.iter().enumerate() {
        let place = format!("endpoints[{index}]");
        match endpoint.as_object() {
            Some(endpoint) => reading.endpoint(&place, endpoint),
            None => reading.note(&place, "expected an object"),
        }
    }
    reading.drop_what_is_refused();
    Ok(Imported { text: write::toml(&reading), notes: reading.notes })
}

impl Reading<'_> {
    fn note(&mut self, place: &str, what: &str) {
        let note = format!("{place}: {what}");
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Names the members that are not `known`. Members for comments (`$schema`, `@comment`, `#`, `_`) are nothing.
    fn left_out(&mut self, place: &str, members: &Map<String, Value>, known: &[&str]) {
        let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
        for (name, value) in members {
            if known.contains(&name.as_str()) || name.starts_with(['$', '@', '#', '_']) {
                continue;
            }
            match value.as_object().filter(|_| name == "extra_config") {
                Some(extra) => {
                    for inner in extra.keys() {
                        self.note(&below(&format!("extra_config.\"{inner}\"")), advice(inner));
                    }
                }
                None => self.note(&below(name), advice(name)),
            }
        }
    }

    /// A source like this one, or this one under a name that is free.
    fn source(&mut self, wish: &str, mut source: Value) -> String {
        let same = |known: &&Value| {
            let without_name = |value: &Value| {
                let mut value = value.clone();
                value["name"] = Value::Null;
                value
            };
            without_name(known) == without_name(&source)
        };
        if let Some(known) = self.sources.iter().find(same) {
            return known["name"].as_str().unwrap_or_default().to_owned();
        }
        let names: Vec<&str> = self.sources.iter().filter_map(|known| known["name"].as_str()).collect();
        let name = free(wish, |name| names.contains(&name));
        source["name"] = name.clone().into();
        self.sources.push(source);
        name
    }

    /// Our own check has the last word: an endpoint that it refuses is left out, and said so.
    fn drop_what_is_refused(&mut self) {
        loop {
            let endpoints = &self.endpoints;
            self.sources.retain(|source| endpoints.iter().any(|taken| taken.uses(&source["name"])));
            let faults = faults(self);
            let Some(fault) = faults.first() else { break };
            let index_in = |list: &str| {
                let rest = fault.key.strip_prefix(&format!("aggregation.{list}["))?;
                rest.split(']').next()?.parse::<usize>().ok()
            };
            let refused = index_in("endpoints").or_else(|| {
                let name = self.sources.get(index_in("sources")?)?["name"].clone();
                self.endpoints.iter().position(|taken| taken.uses(&name))
            });
            let Some(taken) = refused.filter(|at| *at < self.endpoints.len()).map(|at| self.endpoints.remove(at))
            else {
                self.notes.push(fault.to_string());
                self.endpoints.clear();
                self.sources.clear();
                break;
            };
            self.note(&taken.place, &format!("left out: {}", fault.detail));
        }
    }
}

fn faults(reading: &Reading<'_>) -> Vec<SettingFault> {
    let endpoints: Vec<&Value> = reading.endpoints.iter().map(|taken| &taken.endpoint).collect();
    let config = json!({
        "source_body_limit": "10MiB",
        "cache_size": "64MiB",
        "evaluation": {"workers": 1, "timeout": "250ms", "memory": "64MiB", "output_limit": "1MiB", "queue": 1},
        "sources": reading.sources,
        "endpoints": endpoints,
    });
    match serde_json::from_value::<AggregationConfig>(config) {
        Ok(config) => compile(&config, &Jaq).err().unwrap_or_default(),
        Err(fault) => vec![SettingFault::new("aggregation", fault.to_string())],
    }
}

/// `wish`, or `wish_2` and so on.
fn free(wish: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut name = wish.to_owned();
    let mut number = 2;
    while is_taken(&name) {
        name = format!("{wish}_{number}");
        number += 1;
    }
    name
}

/// What to do about a key that has no counterpart here.
fn advice(key: &str) -> &'static str {
    match key {
        "port" | "listen_ip" | "tls" => "left out: see `[server]`",
        "concurrent_calls" => "left out: a source is asked once; see `retry`",
        "qos/ratelimit/router" | "qos/ratelimit/service" => "left out: see `rate_limit` of `[[gateway.routes]]`",
        "qos/ratelimit/proxy" => "left out: see `max_in_flight` of `[[gateway.upstreams]]`",
        "qos/http-cache" => "left out: see `cache` of a source, which has a time of its own",
        "auth/validator" => "left out: tokens are those of the auth role; see `auth` of an endpoint",
        "security/cors" => "left out: see `[gateway] cors`",
        "validation/json-schema" => "left out: see `request_schema` of `[[gateway.routes]]`",
        "telemetry/logging" => "left out: see `[log]`",
        "backend/http" => "left out: each source's status is told in the answer's problem",
        "static" => "left out: see `fallback` of a step",
        "backend/graphql" | "backend/grpc" | "backend/lambda" | "backend/amqp/consumer" | "backend/amqp/producer" => {
            "left out: sources are asked by HTTP"
        }
        _ => "left out: it has no counterpart",
    }
}

/// A duration as Go writes it, in milliseconds.
fn duration(text: &str) -> Option<u64> {
    let (mut rest, mut millis) = (text.trim(), 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        millis += number
            * match &rest[digits..unit_end] {
                "ns" => 1e-6,
                "us" | "µs" => 1e-3,
                "ms" => 1.0,
                "s" => 1e3,
                "m" => 6e4,
                "h" => 3.6e6,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no minus is read, years are enough")]
    let millis = millis.min(1e12).ceil() as u64;
    Some(millis)
}

/// As we write durations.
fn span(millis: u64) -> String {
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests;
