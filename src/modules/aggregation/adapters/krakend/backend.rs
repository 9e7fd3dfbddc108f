//! One backend as a source, and what its address needs.

use serde_json::{Map, Value, json};

use super::{
    Reading,
    program::{self, field, select},
    span,
};

/// What a backend becomes.
pub(super) struct Backend {
    /// The source, without its name.
    pub(super) source: Value,
    /// A name that would suit it.
    pub(super) wish: String,
    /// The arguments and the programs that fill them; results by position, as `resp0`.
    pub(super) arguments: Vec<(String, Filled)>,
    /// The member its answer becomes.
    pub(super) group: Option<String>,
}

/// What an argument is filled with.
pub(super) enum Filled {
    /// A program.
    Program(String),
    /// A value of an earlier backend's answer.
    Response { backend: usize, path: String },
}

/// Keys that are used, or the same here without saying.
const KNOWN: [&str; 14] = [
    "host",
    "url_pattern",
    "method",
    "encoding",
    "allow",
    "deny",
    "mapping",
    "group",
    "target",
    "is_collection",
    "sd",
    "input_query_strings",
    "input_headers",
    "extra_config",
];
/// Headers that belong to a connection, or are made anew here.
const NEVER_FORWARDED: [&str; 6] =
    ["host", "content-type", "content-length", "connection", "accept-encoding", "traceparent"];

/// What the endpoint says for all its backends.
pub(super) struct Around<'a> {
    pub(super) place: &'a str,
    /// Milliseconds.
    pub(super) timeout: u64,
    pub(super) cache: Option<u64>,
    pub(super) queries: Vec<String>,
    pub(super) headers: Vec<String>,
}

impl Reading<'_> {
    /// `Err`: why the endpoint cannot be taken over.
    pub(super) fn backend(
        &mut self,
        place: &str,
        backend: &Map<String, Value>,
        around: &Around<'_>,
    ) -> Result<Backend, String> {
        self.left_out(place, backend, &KNOWN);
        let text = |name: &str| backend.get(name).and_then(Value::as_str);
        let encoding = text("encoding").unwrap_or("json");
        if !matches!(encoding, "json" | "safejson" | "fast-json") {
            return Err(format!("{place}.encoding: only JSON is read here, not {encoding:?}"));
        }
        if text("sd").is_some_and(|sd| sd != "static") {
            return Err(format!("{place}.sd: hosts are named, or found by DNS"));
        }
        let host = self.host(place, backend)?;
        let pattern = text("url_pattern").ok_or(format!("{place}.url_pattern: missing"))?;
        let (mut url, mut arguments) = (host, Vec::new());
        read_pattern(pattern, &mut url, &mut arguments).map_err(|fault| format!("{place}.url_pattern: {fault}"))?;
        let chosen =
            |name: &str, otherwise: &Vec<String>| strings(backend.get(name)).unwrap_or_else(|| otherwise.clone());
        // Said once where it is said for all backends.
        let from = |name: &str| if backend.contains_key(name) { place } else { around.place };
        for query in chosen("input_query_strings", &around.queries) {
            let argument = argument_name(&query);
            if query == "*" || argument != query || arguments.iter().any(|(known, _)| *known == argument) {
                self.note(
                    from("input_query_strings"),
                    &format!("the query parameter {query:?} is left out: it cannot be passed on by itself"),
                );
                continue;
            }
            url.push_str(if url.contains('?') { "&" } else { "?" });
            url.extend([query.as_str(), "={", argument.as_str(), "}"]);
            arguments.push((argument, Filled::Program(format!(".query{} // \"\"", field(&query)))));
        }
        let mut headers = Vec::new();
        for header in chosen("input_headers", &around.headers) {
            let name = header.to_ascii_lowercase();
            if name == "*" || NEVER_FORWARDED.contains(&name.as_str()) {
                self.note(from("input_headers"), &format!("the header {header:?} is left out: headers are passed on by name, and not those of a connection"));
            } else {
                headers.push(name);
            }
        }
        let mut source = json!({"name": null, "url": url});
        let method = text("method").unwrap_or("GET").to_ascii_uppercase();
        if method != "GET" {
            source["method"] = method.clone().into();
        }
        if !headers.is_empty() {
            source["forward_headers"] = headers.into();
        }
        source["timeout"] = span(around.timeout).into();
        if let Some(ttl) = around.cache.filter(|_| method == "GET") {
            source["cache"] = json!({"ttl": span(ttl)});
        }
        if let Some(breaker) = self.breaker(place, backend) {
            source["breaker"] = breaker;
        }
        if let Some(select) = select(backend) {
            source["select"] = select.into();
        }
        let group = text("group").filter(|group| !group.is_empty()).map(str::to_owned);
        Ok(Backend { source, wish: wish(pattern), arguments, group })
    }

    fn host(&mut self, place: &str, backend: &Map<String, Value>) -> Result<String, String> {
        let hosts = strings(backend.get("host")).or_else(|| strings(self.root.get("host"))).unwrap_or_default();
        let first = hosts.first().ok_or(format!("{place}.host: missing"))?;
        if hosts.len() > 1 {
            self.note(
                &format!("{place}.host"),
                "only the first is used: several targets stand in `[[gateway.upstreams]]`",
            );
        }
        let host = first.trim_end_matches('/');
        Ok(if host.contains("://") { host.to_owned() } else { format!("http://{host}") })
    }

    /// `qos/circuit-breaker`; other extras are named.
    fn breaker(&mut self, place: &str, backend: &Map<String, Value>) -> Option<Value> {
        let extra = backend.get("extra_config")?.as_object()?;
        let others = Map::from_iter([("extra_config".to_owned(), {
            let others = extra.iter().filter(|(name, _)| *name != "qos/circuit-breaker");
            Value::Object(others.map(|(name, value)| (name.clone(), value.clone())).collect())
        })]);
        self.left_out(place, &others, &[]);
        let breaker = extra.get("qos/circuit-breaker")?;
        let number = |name: &str, otherwise| breaker.get(name).and_then(Value::as_u64).unwrap_or(otherwise).max(1);
        let seconds = |name: &str, otherwise| format!("{}s", number(name, otherwise));
        Some(
            json!({"failures": number("max_errors", 5), "window": seconds("interval", 30), "open_for": seconds("timeout", 10)}),
        )
    }
}

/// An array of strings.
pub(super) fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    Some(value?.as_array()?.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
}

/// The address behind the host, with the arguments that its places need.
fn read_pattern(pattern: &str, url: &mut String, arguments: &mut Vec<(String, Filled)>) -> Result<(), String> {
    if !pattern.starts_with('/') {
        url.push('/');
    }
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}').ok_or("an unpaired brace")? + open;
        let place = rest[open + 1..close].trim();
        let argument = argument_name(place);
        let filled = filled(place)?;
        url.push_str(&rest[..open]);
        url.extend(["{", argument.as_str(), "}"]);
        if !arguments.iter().any(|(known, _)| *known == argument) {
            arguments.push((argument, filled));
        }
        rest = &rest[close + 1..];
    }
    url.push_str(rest);
    Ok(())
}

/// What stands in braces.
fn filled(place: &str) -> Result<Filled, String> {
    let lower = place.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix("resp").filter(|_| place.len() > 5) {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if let (Ok(backend), Some(path)) = (rest[..digits].parse(), place[4 + digits..].strip_prefix('_')) {
            return Ok(Filled::Response { backend, path: path.to_owned() });
        }
    }
    if let Some(header) = lower.strip_prefix("input_headers.") {
        return Ok(Filled::Program(format!(".headers{}", field(header))));
    }
    if lower.starts_with("input_query_strings.") {
        return Ok(Filled::Program(format!(".query{}", field(&place["input_query_strings.".len()..]))));
    }
    if place == "JWT.sub" {
        return Ok(Filled::Program(format!(".headers{}", field("x-user-id"))));
    }
    if place.starts_with("JWT.") {
        return Err(format!("of a token only the subject is known here, not {place:?}"));
    }
    Ok(Filled::Program(format!(".path{}", program::path(place))))
}

/// A name that our addresses may have in braces.
fn argument_name(place: &str) -> String {
    place.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect()
}

/// A source's name from the words of its address.
fn wish(pattern: &str) -> String {
    let path = pattern.split('?').next().unwrap_or("");
    let words = path.split('/').filter(|segment| !segment.is_empty() && !segment.contains('{'));
    let words: Vec<String> = words.map(|word| argument_name(word).replace('-', "_").replace("__", "_")).collect();
    if words.is_empty() { "source".to_owned() } else { words.join("_") }
}
