//! From the configuration to the catalogue: every fault at once, with its key.

mod batch;
mod reach;

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use super::super::{
    application::{
        catalogue::{Access, Catalogue, Endpoint, Ruleset, Source, Step},
        ports::{Compiler, Program},
    },
    config::{AggregationConfig, EndpointAuth, EndpointConfig, RulesetConfig, SourceConfig, StepConfig},
    domain::{
        address::Address,
        plan::{Plan, StepShape, may_see, results_named},
        rule,
        shape::Shape,
        template::is_name,
        vary::Vary,
    },
};
use crate::kernel::SettingFault;

/// The paths below `/data` that are built in.
const BUILT_IN: [&str; 4] = ["/aggregate", "/sources", "/endpoints", "/transform"];
/// Methods a source may be called with.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// Methods that may be repeated (RFC 9110 §9.2.2).
const REPEATABLE: [&str; 4] = ["GET", "HEAD", "PUT", "DELETE"];
/// The most tries after the first.
const MAX_RETRIES: u32 = 5;
/// Headers that belong to one connection or are made anew, and so are never passed on.
const OWN_HEADERS: [&str; 14] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "accept-encoding",
    "traceparent",
];

/// Compiles everything, or tells what is wrong with it.
pub(crate) fn compile(config: &AggregationConfig, programs: &dyn Compiler) -> Result<Catalogue, Vec<SettingFault>> {
    let mut compiling = Compiling { programs, faults: Vec::new(), catalogue: Catalogue::default() };
    compiling.limits(config);
    for (index, source) in config.sources.iter().enumerate() {
        compiling.source(&format!("aggregation.sources[{index}]"), source);
    }
    for (index, endpoint) in config.endpoints.iter().enumerate() {
        compiling.endpoint(&format!("aggregation.endpoints[{index}]"), endpoint);
    }
    for (index, ruleset) in config.rulesets.iter().enumerate() {
        compiling.ruleset(&format!("aggregation.rulesets[{index}]"), ruleset);
    }
    if compiling.faults.is_empty() { Ok(compiling.catalogue) } else { Err(compiling.faults) }
}

struct Compiling<'a> {
    programs: &'a dyn Compiler,
    faults: Vec<SettingFault>,
    catalogue: Catalogue,
}

impl Compiling<'_> {
    fn fault(&mut self, key: impl Into<String>, detail: impl Into<String>) {
        self.faults.push(SettingFault::new(key, detail));
    }

    fn limits(&mut self, config: &AggregationConfig) {
        let at_least_one = [
            ("workers", config.evaluation.workers as u64),
            ("queue", config.evaluation.queue as u64),
            ("output_limit", config.evaluation.output_limit.0),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                self.fault(format!("aggregation.evaluation.{key}"), "expected at least 1");
            }
        }
        if config.evaluation.timeout.get().is_zero() {
            self.fault("aggregation.evaluation.timeout", "expected more than nothing");
        }
        if config.evaluation.memory.0 < 4 << 20 {
            self.fault("aggregation.evaluation.memory", "expected at least \"4MiB\"");
        }
        if config.cache_size.0 == 0 && config.sources.iter().any(|source| source.cache.is_some()) {
            self.fault("aggregation.cache_size", "expected at least \"1B\": a source has a `cache`");
        }
        if config.line_limit.0 == 0 {
            self.fault("aggregation.line_limit", "expected at least \"1B\"");
        }
        if config.source_body_limit.0 == 0 {
            self.fault("aggregation.source_body_limit", "expected at least \"1B\"");
        }
    }

    fn name(&mut self, key: String, name: &str, taken: bool) {
        if !is_name(name) {
            self.fault(key, format!("{name:?} is no name; expected letters, digits, `_` and `-`"));
        } else if taken {
            self.fault(key, format!("`{name}` is already taken"));
        }
    }

    fn program(&mut self, key: String, text: &str) -> Option<Arc<dyn Program>> {
        match self.programs.compile(text) {
            Ok(program) => Some(program),
            Err(fault) => {
                self.fault(key, fault);
                None
            }
        }
    }

    fn source(&mut self, key: &str, config: &SourceConfig) {
        let taken = self.catalogue.source(&config.name).is_some();
        self.name(format!("{key}.name"), &config.name, taken);
        let method = config.method.to_ascii_uppercase();
        if !METHODS.contains(&method.as_str()) {
            self.fault(format!("{key}.method"), format!("expected one of {}", METHODS.join(", ")));
        }
        let forward_headers: Vec<String> =
            config.forward_headers.iter().map(|name| name.to_ascii_lowercase()).collect();
        for (index, name) in forward_headers.iter().enumerate() {
            if !is_header(name) {
                self.fault(format!("{key}.forward_headers[{index}]"), format!("{name:?} cannot be passed on"));
            }
        }
        if config.timeout.get().is_zero() {
            self.fault(format!("{key}.timeout"), "expected more than nothing");
        }
        if config.max_in_flight == 0 {
            self.fault(format!("{key}.max_in_flight"), "expected at least 1");
        }
        for (name, value) in
            [("failures", config.breaker.failures), ("half_open_requests", config.breaker.half_open_requests)]
        {
            if value == 0 {
                self.fault(format!("{key}.breaker.{name}"), "expected at least 1");
            }
        }
        for (index, status) in config.expect.iter().enumerate() {
            if !(200..600).contains(status) {
                self.fault(format!("{key}.expect[{index}]"), "expected a status from 200 to 599");
            }
        }
        if config.retry.is_some() && !REPEATABLE.contains(&method.as_str()) {
            self.fault(format!("{key}.retry"), format!("{method} must not be repeated"));
        }
        if config.retry.as_ref().is_some_and(|retry| retry.attempts > MAX_RETRIES) {
            self.fault(format!("{key}.retry.attempts"), format!("expected at most {MAX_RETRIES}"));
        }
        if let Some(cache) = &config.cache {
            if !matches!(method.as_str(), "GET" | "HEAD") {
                self.fault(format!("{key}.cache"), format!("answers to {method} are not kept"));
            }
            if cache.ttl.get().is_zero() {
                self.fault(format!("{key}.cache.ttl"), "expected more than nothing");
            }
        }
        let paging =
            config.paginate.as_ref().map(|paginate| self.paging(&format!("{key}.paginate"), paginate, &config.url));
        if let Some(redirects) = &config.redirects {
            self.redirects(&format!("{key}.redirects"), redirects, &method);
        }
        let select = config.select.as_ref().map(|text| self.program(format!("{key}.select"), text));
        let schema = config.schema.as_ref().map(|path| self.schema(format!("{key}.schema"), path));
        if config.body_limit.is_some_and(|limit| limit.0 == 0) {
            self.fault(format!("{key}.body_limit"), "expected at least \"1B\"");
        }
        let role = self.role(key, config);
        let Some(url) = self.address(key, config) else { return };
        self.catalogue.sources.push(Arc::new(Source {
            name: config.name.clone(),
            url,
            role,
            method,
            forward_headers,
            timeout: config.timeout.get(),
            expect: config.expect.clone(),
            required: config.required,
            paging: paging.flatten(),
            schema: schema.flatten(),
            select: select.flatten(),
        }));
    }

    fn endpoint(&mut self, key: &str, config: &EndpointConfig) {
        self.path(key, &config.path);
        if config.timeout.get().is_zero() {
            self.fault(format!("{key}.timeout"), "expected more than nothing");
        }
        if config.steps.is_empty() {
            self.fault(format!("{key}.steps"), "expected at least one step");
        }
        let shapes: Vec<StepShape> = config.steps.iter().map(shape).collect();
        let plan = Plan::compile(&shapes);
        if let Err(faults) = &plan {
            for fault in faults {
                self.fault(format!("{key}.steps[{}].{}", fault.step, fault.key), fault.detail.clone());
            }
        }
        let steps: Vec<Option<Step>> = config
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| self.step(&format!("{key}.steps[{index}]"), step))
            .collect();
        let response = config.response.as_ref().map(|text| {
            for name in results_named(text) {
                if !shapes.iter().any(|step| step.name == name) {
                    self.fault(format!("{key}.response"), format!("no step makes the result `{name}`"));
                }
            }
            self.program(format!("{key}.response"), text)
        });
        self.unused(key, config, &shapes);
        if let (Some(steps), Ok(plan)) = (steps.into_iter().collect::<Option<Vec<_>>>(), plan) {
            let vary = vary(config, &shapes, &steps);
            self.catalogue.endpoints.push(Arc::new(Endpoint {
                path: config.path.clone(),
                access: match config.auth {
                    EndpointAuth::None => Access::Anybody,
                    EndpointAuth::Optional => Access::Optional,
                    EndpointAuth::Required => Access::Required,
                },
                timeout: config.timeout.get(),
                steps,
                plan,
                response: response.flatten(),
                shape: config.response.as_deref().and_then(Shape::parse),
                vary,
            }));
        }
    }

    /// A step that only asks, whose answer nobody looks at, is a mistake.
    fn unused(&mut self, key: &str, config: &EndpointConfig, shapes: &[StepShape]) {
        // Without `response` the answer has every result.
        let Some(response) = &config.response else { return };
        for (index, (step, shape)) in config.steps.iter().zip(shapes).enumerate() {
            let programs = shapes.iter().flat_map(|other| &other.programs).map(|(_, text)| text);
            let is_used = programs.chain([response]).any(|text| may_see(text, &shape.name))
                || shapes.iter().any(|other| other.after.contains(&shape.name));
            let only_asks = self
                .catalogue
                .source(&step.source)
                .is_some_and(|source| matches!(source.method.as_str(), "GET" | "HEAD"));
            if !is_used && !step.required && only_asks {
                let detail =
                    format!("nothing uses the result `{}`; name it in `response`, or take the step out", shape.name);
                self.fault(format!("{key}.steps[{index}]"), detail);
            }
        }
    }

    fn path(&mut self, key: &str, path: &str) {
        let key = format!("{key}.path");
        if !path.starts_with('/') || path.contains(['?', '#', '%', ' ']) || path.contains("//") {
            return self.fault(key, "expected a path such as \"/dashboard/{user_id}\"");
        }
        let beneath =
            |built_in: &str| path.strip_prefix(built_in).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(built_in) = BUILT_IN.iter().find(|built_in| beneath(built_in)) {
            return self.fault(key, format!("`/data{built_in}` is built in"));
        }
        // The router knows what is well formed and what contradicts what.
        let mut router = matchit::Router::new();
        for endpoint in &self.catalogue.endpoints {
            let _ = router.insert(endpoint.path.as_str(), ());
        }
        if let Err(fault) = router.insert(path, ()) {
            self.fault(key, fault.to_string());
        }
    }

    fn step(&mut self, key: &str, config: &StepConfig) -> Option<Step> {
        let name = config.name.as_ref().unwrap_or(&config.source);
        self.name(format!("{key}.as"), name, false);
        if config.concurrency == 0 {
            self.fault(format!("{key}.concurrency"), "expected at least 1");
        }
        let mut arguments = Vec::new();
        for (argument, text) in &config.arguments {
            if let Some(program) = self.program(format!("{key}.with.{argument}"), text) {
                arguments.push((argument.clone(), program));
            }
        }
        let for_each = match &config.for_each {
            Some(text) => Some(self.program(format!("{key}.for_each"), text)?),
            None => None,
        };
        let mut headers = Vec::new();
        for (name, text) in &config.headers {
            let name = name.to_ascii_lowercase();
            if !is_header(&name) || headers.iter().any(|(known, _)| *known == name) {
                self.fault(format!("{key}.headers.{name}"), format!("{name:?} cannot be set"));
            } else if let Some(program) = self.program(format!("{key}.headers.{name}"), text) {
                headers.push((name, program));
            }
        }
        let batch = self.batch(key, config);
        let body = config.body.as_ref().map(|text| self.program(format!("{key}.body"), text));
        let when = config.when.as_ref().map(|text| self.program(format!("{key}.when"), text));
        let Some(source) = self.catalogue.source(&config.source).cloned() else {
            let known: Vec<&str> = self.catalogue.sources.iter().map(|source| source.name.as_str()).collect();
            let detail = format!("there is no source `{}`; expected one of: {}", config.source, known.join(", "));
            self.fault(format!("{key}.source"), detail);
            return None;
        };
        if body.is_some() && matches!(source.method.as_str(), "GET" | "HEAD" | "DELETE") {
            self.fault(format!("{key}.body"), format!("the source `{}` is called with {}", source.name, source.method));
        }
        if !headers.is_empty() && matches!(source.url, Address::Sql(_)) {
            self.fault(format!("{key}.headers"), format!("the source `{}` is a question to a database", source.name));
        }
        let needed: BTreeSet<&str> = source.url.arguments().into_iter().collect();
        for argument in &needed {
            if !config.arguments.contains_key(*argument) {
                self.fault(format!("{key}.with"), format!("the source `{}` needs `{argument}`", source.name));
            }
        }
        for argument in config.arguments.keys().filter(|argument| !needed.contains(argument.as_str())) {
            self.fault(format!("{key}.with.{argument}"), format!("the source `{}` has no such argument", source.name));
        }
        let (name, required, concurrency) = (name.clone(), config.required, config.concurrency);
        let fallback = config.fallback.as_ref().map(|value| {
            Arc::from(serde_json::value::to_raw_value(value).expect("a value of the configuration is JSON"))
        });
        let (body, when) = (body.flatten(), when.flatten());
        Some(Step { name, source, required, arguments, headers, body, when, fallback, for_each, batch, concurrency })
    }

    fn ruleset(&mut self, key: &str, config: &RulesetConfig) {
        let taken = self.catalogue.ruleset(&config.name).is_some();
        self.name(format!("{key}.name"), &config.name, taken);
        let rules = serde_json::Value::Array(config.rules.clone());
        match rule::read(&rules, "") {
            Err(faults) => {
                for fault in faults {
                    self.fault(setting_key(key, &fault.pointer), fault.detail);
                }
            }
            Ok(read) => {
                for (index, rule) in read.iter().enumerate() {
                    for (pointer, text) in rule.expressions() {
                        self.program(setting_key(key, &format!("/{index}{pointer}")), text);
                    }
                }
                let ruleset = Ruleset { name: config.name.clone(), rules: read, text: rules.to_string() };
                self.catalogue.rulesets.push(Arc::new(ruleset));
            }
        }
    }
}

/// Whether it is a header's name (RFC 9110 §5.1), in lower case, of those that may be passed on or set.
fn is_header(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token) && !OWN_HEADERS.contains(&name)
}

/// `/0/where` below a ruleset's key.
fn setting_key(key: &str, pointer: &str) -> String {
    let mut text = format!("{key}.rules");
    for (index, part) in pointer.split('/').skip(1).enumerate() {
        let _ = if index == 0 { write!(text, "[{part}]") } else { write!(text, ".{part}") };
    }
    text
}

/// What the sources get of the request's headers, and what programs read of them.
fn vary(config: &EndpointConfig, shapes: &[StepShape], steps: &[Step]) -> Vary {
    let mut vary = Vary::default();
    if config.auth != EndpointAuth::None {
        vary.on_credentials();
    }
    steps.iter().flat_map(|step| &step.source.forward_headers).for_each(|name| vary.on(name));
    let programs = shapes.iter().flat_map(|step| &step.programs).map(|(_, text)| text);
    programs.chain(&config.response).for_each(|text| vary.on_program(text));
    vary
}

fn shape(step: &StepConfig) -> StepShape {
    let arguments = step.arguments.iter().map(|(name, text)| (format!("with.{name}"), text.clone()));
    let headers = step.headers.iter().map(|(name, text)| (format!("headers.{name}"), text.clone()));
    let others = [("for_each", &step.for_each), ("when", &step.when), ("body", &step.body)];
    let others = others.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.clone()?)));
    StepShape {
        name: step.name.clone().unwrap_or_else(|| step.source.clone()),
        after: step.after.clone(),
        programs: arguments.chain(headers).chain(others).collect(),
    }
}

#[cfg(test)]
mod bytes;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
