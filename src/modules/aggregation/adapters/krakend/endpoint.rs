//! One endpoint: its backends as steps, and the answer made of them.

use serde_json::{Map, Value, json};

use super::{
    Reading, Taken,
    backend::{Around, Backend, Filled, strings},
    duration, free,
    program::{field, is_collection, key, path},
    span,
};

/// Keys that are used.
const KNOWN: [&str; 9] = [
    "endpoint",
    "method",
    "output_encoding",
    "timeout",
    "cache_ttl",
    "input_query_strings",
    "input_headers",
    "backend",
    "extra_config",
];
/// When nothing says another.
const TIMEOUT: u64 = 2_000;

impl Reading<'_> {
    /// Takes an endpoint over, or notes why not.
    pub(super) fn endpoint(&mut self, place: &str, endpoint: &Map<String, Value>) {
        if let Err(reason) = self.try_endpoint(place, endpoint) {
            self.notes.push(format!("{reason}; the endpoint is left out"));
        }
    }

    fn try_endpoint(&mut self, place: &str, endpoint: &Map<String, Value>) -> Result<(), String> {
        let text = |name: &str| endpoint.get(name).and_then(Value::as_str);
        let at = text("endpoint").ok_or(format!("{place}.endpoint: missing"))?;
        let method = text("method").unwrap_or("GET");
        if !method.eq_ignore_ascii_case("GET") {
            return Err(format!("{place}.method: endpoints answer GET; `[[gateway.routes]]` passes {method} on"));
        }
        let encoding =
            text("output_encoding").or(self.root.get("output_encoding").and_then(Value::as_str)).unwrap_or("json");
        if encoding == "no-op" {
            return Err(format!("{place}.output_encoding: `[[gateway.routes]]` passes answers on as they are"));
        }
        if !matches!(encoding, "json" | "fast-json" | "json-collection") {
            self.note(&format!("{place}.output_encoding"), "left out: answers are JSON");
        }
        let backends: Vec<&Map<String, Value>> = endpoint
            .get("backend")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .collect();
        if backends.is_empty() {
            return Err(format!("{place}.backend: missing"));
        }
        self.left_out(place, endpoint, &KNOWN);
        let (is_sequential, is_closed) = self.extras(place, endpoint);
        let cache = self.time(place, endpoint, "cache_ttl").filter(|ttl| *ttl > 0);
        if cache.is_some() {
            self.note(&format!("{place}.cache_ttl"), "became `cache` of its sources: answers are kept here");
        }
        let around = Around {
            place,
            timeout: self.time(place, endpoint, "timeout").filter(|timeout| *timeout > 0).unwrap_or(TIMEOUT),
            cache,
            queries: strings(endpoint.get("input_query_strings")).unwrap_or_default(),
            headers: strings(endpoint.get("input_headers")).unwrap_or_default(),
        };
        let mut read = Vec::new();
        for (index, backend) in backends.iter().enumerate() {
            read.push(self.backend(&format!("{}.backend[{index}]", around.place), backend, &around)?);
        }
        if !around.queries.is_empty() {
            self.note(&format!("{place}.input_query_strings"), "a parameter that is absent is sent empty");
        }
        let steps = self.steps(place, &read, is_sequential)?;
        let names: Vec<String> = steps.iter().filter_map(|step| step["as"].as_str().map(str::to_owned)).collect();
        let mut response = answer(&names, &read);
        if encoding == "json-collection" && is_collection(backends[0]) {
            response.push_str(".collection");
        }
        let mut taken = json!({"path": at, "timeout": span(around.timeout)});
        taken["auth"] = if is_closed { "required" } else { "none" }.into();
        taken["steps"] = steps.into();
        taken["response"] = response.into();
        self.endpoints.push(Taken { place: place.to_owned(), endpoint: taken });
        Ok(())
    }

    /// A duration of the endpoint, or of the whole file, in milliseconds.
    fn time(&mut self, place: &str, endpoint: &Map<String, Value>, name: &str) -> Option<u64> {
        let text = endpoint.get(name).or_else(|| self.root.get(name))?.as_str().unwrap_or_default();
        let millis = duration(text);
        if millis.is_none() {
            self.note(&format!("{place}.{name}"), &format!("left out: {text:?} is no duration"));
        }
        millis
    }

    /// Whether backends are asked one after the other, and whether a token is needed; other extras are named.
    fn extras(&mut self, place: &str, endpoint: &Map<String, Value>) -> (bool, bool) {
        let Some(extra) = endpoint.get("extra_config").and_then(Value::as_object) else { return (false, false) };
        let proxy = extra.get("proxy").and_then(Value::as_object);
        let is_sequential = proxy.and_then(|proxy| proxy.get("sequential")).and_then(Value::as_bool).unwrap_or(false);
        for name in extra.keys() {
            let place = format!("{place}.extra_config.\"{name}\"");
            match (name.as_str(), proxy) {
                ("proxy", Some(proxy)) => {
                    let place = place.replace('"', "");
                    self.left_out(&place, proxy, &["sequential"]);
                }
                ("auth/validator", _) => {
                    self.note(&place, "became `auth = \"required\"`: tokens are those of the auth role");
                }
                _ => self.note(&place, super::advice(name)),
            }
        }
        (is_sequential, extra.contains_key("auth/validator"))
    }

    fn steps(&mut self, place: &str, backends: &[Backend], is_sequential: bool) -> Result<Vec<Value>, String> {
        let mut steps: Vec<Value> = Vec::new();
        for (index, backend) in backends.iter().enumerate() {
            let source = self.source(&backend.wish, backend.source.clone());
            let names: Vec<&str> = steps.iter().filter_map(|step| step["as"].as_str()).collect();
            let group = backend.group.as_deref().filter(|group| key(group) == *group);
            let name = free(group.unwrap_or(&source), |name| names.contains(&name));
            let mut arguments = Map::new();
            for (argument, filled) in &backend.arguments {
                let program = match filled {
                    Filled::Program(program) => program.clone(),
                    Filled::Response { backend: from, path: wanted } => {
                        let wrong = format!("{place}.backend[{index}].url_pattern: there is no earlier backend {from}");
                        let (name, earlier) =
                            names.get(*from).zip(backends.get(*from)).filter(|_| is_sequential).ok_or(wrong)?;
                        let group = earlier.group.as_ref().and_then(|group| wanted.strip_prefix(&format!("{group}.")));
                        format!(".results{}{}", field(name), path(group.unwrap_or(wanted)))
                    }
                };
                arguments.insert(argument.clone(), program.into());
            }
            let mut step = json!({"source": source, "as": name});
            // Without its only backend there is no answer; of several, those that answer make it.
            if backends.len() == 1 {
                step["required"] = true.into();
            }
            if let Some(before) = names.last().filter(|_| is_sequential) {
                step["after"] = json!([before]);
            }
            if !arguments.is_empty() {
                step["with"] = arguments.into();
            }
            steps.push(step);
        }
        Ok(steps)
    }
}

/// The program that makes one object of the answers.
fn answer(names: &[String], backends: &[Backend]) -> String {
    let result = |name: &String| format!(".results{}", field(name));
    let pairs = || names.iter().zip(backends);
    if let [(name, Backend { group: None, .. })] = pairs().collect::<Vec<_>>().as_slice() {
        return result(name);
    }
    let grouped: Vec<String> = pairs()
        .filter_map(|(name, backend)| Some(format!("{}: {}", key(backend.group.as_ref()?), result(name))))
        .collect();
    let merged =
        pairs().filter(|(_, backend)| backend.group.is_none()).map(|(name, _)| format!("({} // {{}})", result(name)));
    let grouped = (!grouped.is_empty()).then(|| format!("{{{}}}", grouped.join(", ")));
    merged.chain(grouped).collect::<Vec<_>>().join(" + ")
}
