//! What the command line does with sources, endpoints and rules, without a server.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    sync::Arc,
};

use serde_json::value::RawValue;

use super::{
    adapters::{
        canned::CannedSources,
        compile::compile,
        evaluation::Remembering,
        http::{CREDENTIALS, parameters},
        jaq::Jaq,
        source::{Beside, Databases, HttpSources},
    },
    api::{RunFault, RunOutcome, RunRequest, RunStep, TransformFault},
    application::{
        aggregate::Aggregate,
        catalogue::{Catalogue, Endpoint, Source},
        error::AggregationError,
        ports::{RequestHeaders, SourceCaller},
        run_endpoint::{RunEndpoint, texts},
    },
    config::AggregationConfig,
    domain::{
        data::{Json, take},
        lines::Lines,
        outcome::{SourceReport, SourceStatus},
        rule::{self, Rule},
        stream::{Part, array, elements, parts, shifted},
        transform::{RuleFault, apply},
    },
    graphql,
    running::asked,
    start::{AskedDatabase, check},
};
use crate::kernel::{Clock, FieldFault, SystemClock};

/// The longest line of a stream, and what is read at a time, in bytes.
const LINE: usize = 64 << 20;
const PIECE: usize = 64 << 10;

/// Sources and endpoints that run outside a server.
pub struct Rehearsal {
    catalogue: Arc<Catalogue>,
    caller: Arc<dyn SourceCaller>,
    clock: Arc<dyn Clock>,
    graphql: Option<Arc<graphql::Service>>,
}

/// What is run, with all that the request says.
pub struct Prepared(Target, RequestHeaders);

enum Target {
    Source(Arc<Source>, BTreeMap<String, String>),
    Endpoint(Arc<Endpoint>, [(&'static str, Json); 3]),
    Graphql(Arc<graphql::Service>, String, Option<String>),
}

/// Runs a source or an endpoint once.
pub async fn run(
    config: &AggregationConfig,
    databases: &[AskedDatabase],
    request: &RunRequest,
) -> Result<RunOutcome, RunFault> {
    let rehearsal = Rehearsal::new(config, request.fixtures.as_ref(), databases)?;
    let prepared = rehearsal.prepare(request)?;
    rehearsal.run(&prepared).await
}

impl Rehearsal {
    /// Compiles the configuration. With `fixtures`, JSON texts by source, nothing is called; without, sources that are
    /// questions ask these databases, and change nothing.
    pub fn new(
        config: &AggregationConfig,
        fixtures: Option<&BTreeMap<String, String>>,
        databases: &[AskedDatabase],
    ) -> Result<Self, RunFault> {
        let faults = check(config);
        if !faults.is_empty() {
            return Err(RunFault::Settings(faults));
        }
        let catalogue = Arc::new(compile(config, &Jaq).map_err(RunFault::Settings)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let caller: Arc<dyn SourceCaller> = if let Some(answers) = fixtures {
            Arc::new(CannedSources::read(answers).map_err(RunFault::Usage)?)
        } else {
            let databases = asked(config, databases, Databases::new()).map_err(RunFault::Settings)?;
            Arc::new(HttpSources::new(config, Arc::clone(&clock), &databases, Beside::default(), None))
        };
        let graphql = graphql::Service::start(config, &catalogue, Arc::clone(&caller));
        Ok(Self { catalogue, caller, clock, graphql })
    }

    /// Finds what is meant.
    pub fn prepare(&self, request: &RunRequest) -> Result<Prepared, RunFault> {
        let client = request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let headers = RequestHeaders { client, trace: Vec::new() };
        if let Some(document) = &request.document {
            let path = request.name.strip_prefix("/api").unwrap_or(&request.name);
            let served = self.graphql.as_ref().filter(|graphql| graphql.path() == path);
            let served = served.ok_or_else(|| RunFault::Usage(format!("no GraphQL is served at `{path}`")))?;
            let target = Target::Graphql(Arc::clone(served), document.clone(), request.variables.clone());
            return Ok(Prepared(target, headers));
        }
        if let Some(source) = self.catalogue.source(&request.name) {
            let arguments = arguments(source, request).map_err(RunFault::Usage)?;
            return Ok(Prepared(Target::Source(Arc::clone(source), arguments), headers));
        }
        let (endpoint, path, query) = find(&self.catalogue, request).map_err(RunFault::Usage)?;
        let seen = headers.client.iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
        let seen: Pairs = seen.cloned().collect();
        let pairs = |pairs: &Pairs| texts(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let scope = [("path", pairs(&path)), ("query", pairs(&query)), ("headers", pairs(&seen))];
        Ok(Prepared(Target::Endpoint(endpoint, scope), headers))
    }

    /// Runs it.
    pub async fn run(&self, prepared: &Prepared) -> Result<RunOutcome, RunFault> {
        let Prepared(target, headers) = prepared;
        let (caller, clock) = (Arc::clone(&self.caller), Arc::clone(&self.clock));
        match target {
            Target::Source(source, arguments) => {
                let aggregate = Aggregate { catalogue: Arc::clone(&self.catalogue), caller, clock };
                run_source(&aggregate, source, arguments, headers).await
            }
            Target::Endpoint(endpoint, scope) => {
                run_endpoint(&RunEndpoint { caller, clock }, endpoint, scope, headers).await
            }
            Target::Graphql(graphql, document, variables) => {
                let ran = graphql.rehearse(document, variables.as_deref(), headers).await;
                let (answer, complete) = ran.map_err(RunFault::Usage)?;
                Ok(RunOutcome { answer: Ok(answer), complete, timeline: Vec::new() })
            }
        }
    }
}

/// The arguments of a source.
fn arguments(source: &Source, request: &RunRequest) -> Result<BTreeMap<String, String>, String> {
    let known = source.url.arguments();
    let arguments: BTreeMap<String, String> = request.path.iter().chain(&request.arguments).cloned().collect();
    if let Some(unknown) = arguments.keys().find(|name| !known.contains(&name.as_str())) {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(format!("the source `{}` has no argument `{unknown}`; expected {known}", source.name));
    }
    Ok(arguments)
}

async fn run_source(
    aggregate: &Aggregate,
    source: &Source,
    arguments: &BTreeMap<String, String>,
    headers: &RequestHeaders,
) -> Result<RunOutcome, RunFault> {
    let (data, reports) = match aggregate.run(&source.name, arguments, headers).await {
        Ok(aggregated) => (aggregated.data.into_iter().next().and_then(|(_, body)| body), aggregated.reports),
        Err(AggregationError::RequiredSource { reports, .. }) => (None, reports),
        Err(fault) => return Err(RunFault::Usage(fault.to_string())),
    };
    let timeline: Vec<RunStep> = reports.iter().map(|(name, report)| step(name, name, report)).collect();
    let answer = data.map(|body| body.get().to_owned());
    let answer = answer.ok_or_else(|| format!("the source `{}` failed", source.name));
    Ok(RunOutcome { complete: answer.is_ok(), answer, timeline })
}

type Pairs = Vec<(String, String)>;

/// The endpoint that is meant, its path parameters and its query.
fn find(catalogue: &Catalogue, request: &RunRequest) -> Result<(Arc<Endpoint>, Pairs, Pairs), String> {
    let (path, query) = request.name.split_once('?').unwrap_or((&request.name, ""));
    let path = path.strip_prefix("/api").unwrap_or(path);
    let path = path.strip_prefix("/data").unwrap_or(path);
    let mut query: Pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut filled: Pairs = Vec::new();
    let configured = catalogue.endpoints.iter().find(|endpoint| endpoint.path == path);
    let endpoint = if let Some(endpoint) = configured {
        endpoint
    } else {
        let mut router: matchit::Router<&Arc<Endpoint>> = matchit::Router::new();
        for endpoint in &catalogue.endpoints {
            let _ = router.insert(endpoint.path.as_str(), endpoint);
        }
        let matched = router.at(path).map_err(|_| unknown(catalogue, &request.name))?;
        let decode = |value: &str| {
            form_urlencoded::parse(value.replace('+', "%2B").as_bytes()).next().map(|(v, _)| v.into_owned())
        };
        filled.extend(matched.params.iter().map(|(name, value)| (name.to_owned(), decode(value).unwrap_or_default())));
        *matched.value
    };
    let names = parameters(&endpoint.path);
    for (name, value) in &request.path {
        if !names.contains(&name.as_str()) {
            return Err(format!("`{}` has no path parameter `{name}`", endpoint.path));
        }
        filled.push((name.clone(), value.clone()));
    }
    for (name, value) in &request.arguments {
        let into = if names.contains(&name.as_str()) { &mut filled } else { &mut query };
        into.push((name.clone(), value.clone()));
    }
    if let Some(missing) = names.iter().find(|name| !filled.iter().any(|(known, _)| known == *name)) {
        return Err(format!("`{}` needs `{missing}`; expected --path {missing}=VALUE", endpoint.path));
    }
    Ok((Arc::clone(endpoint), filled, query))
}

fn unknown(catalogue: &Catalogue, name: &str) -> String {
    let sources = catalogue.sources.iter().map(|source| source.name.as_str());
    let known: Vec<&str> = sources.chain(catalogue.endpoints.iter().map(|endpoint| endpoint.path.as_str())).collect();
    let known = if known.is_empty() { "nothing: none is configured".to_owned() } else { known.join(", ") };
    format!("there is no source or endpoint `{name}`; expected {known}")
}

async fn run_endpoint(
    use_case: &RunEndpoint,
    endpoint: &Endpoint,
    scope: &[(&'static str, Json)],
    headers: &RequestHeaders,
) -> Result<RunOutcome, RunFault> {
    match use_case.run(endpoint, scope, headers).await {
        Ok(answer) => {
            let timeline = answer.timeline.iter().map(|trace| RunStep {
                started: trace.started,
                calls: trace.calls,
                ..step(&trace.name, &trace.source, &trace.report)
            });
            let timeline = timeline.collect();
            Ok(RunOutcome { answer: Ok(answer.response.get().to_owned()), complete: answer.complete, timeline })
        }
        Err(AggregationError::RequiredSource { name, timeout, reports, .. }) => {
            let source = |name: &str| {
                let step = endpoint.steps.iter().find(|step| step.name == name);
                step.map_or("", |step| step.source.name.as_str())
            };
            let timeline = reports.iter().map(|(name, report)| step(name, source(name), report)).collect();
            let how = if timeout { "did not answer in time" } else { "failed" };
            let answer = Err(format!("the required step `{name}` {how}"));
            Ok(RunOutcome { answer, complete: false, timeline })
        }
        Err(fault) => Err(RunFault::Failed(fault.to_string())),
    }
}

fn step(name: &str, source: &str, report: &SourceReport) -> RunStep {
    RunStep {
        step: name.to_owned(),
        source: source.to_owned(),
        status: report.status.as_str(),
        http_status: report.http_status,
        calls: usize::from(report.status != SourceStatus::Skipped),
        detail: report.detail.clone(),
        started: std::time::Duration::ZERO,
        took: report.duration,
    }
}

/// Applies rules to data. They run in this process and without limits: who may start it may do as much anyway.
pub fn transform(rules: &str, data: Vec<u8>) -> Result<String, TransformFault> {
    let rules = read_rules(rules)?;
    let data = take(data).map_err(|fault| TransformFault::Data(fault.detail))?;
    let done = apply(&Remembering::default(), &data, &rules, usize::MAX);
    done.map(|data| data.get().to_owned()).map_err(|fault| bad(&fault, 0))
}

/// Applies rules to one line of JSON after the other.
pub fn transform_lines(rules: &str, input: &mut dyn Read, output: &mut dyn Write) -> Result<(), TransformFault> {
    let mut parts = parts(&read_rules(rules)?).map_err(rules_fault)?;
    let (expressions, mut lines) = (Remembering::default(), Lines::new(LINE));
    let (mut piece, mut ended) = (vec![0; PIECE], false);
    while !ended {
        let read = match input.read(&mut piece) {
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(TransformFault::Input)?,
        };
        lines.push(&piece[..read]);
        ended = read == 0;
        if ended {
            lines.end();
        }
        while let Some(line) = lines.next() {
            let at =
                |number: u64, detail: &dyn std::fmt::Display| TransformFault::Data(format!("line {number}: {detail}"));
            let line = line.map_err(|fault| at(fault.number, &fault.detail))?;
            let passed = pass(&expressions, &mut parts, &line.value).map_err(|fault| at(line.number, &fault))?;
            for element in passed {
                writeln!(output, "{}", element.get()).map_err(TransformFault::Output)?;
            }
            if parts.iter().any(|part| matches!(part, Part::Window(window) if window.is_over())) {
                return output.flush().map_err(TransformFault::Output);
            }
        }
    }
    output.flush().map_err(TransformFault::Output)
}

/// What becomes of one line.
fn pass(expressions: &Remembering, parts: &mut [Part], value: &RawValue) -> Result<Vec<Box<RawValue>>, TransformFault> {
    let mut passing = vec![value.to_owned()];
    for part in parts {
        passing = match part {
            Part::Window(window) => window.pass(passing),
            Part::Each { rules, first } => {
                let data = array(passing.iter().map(|element| &**element));
                elements(&apply(expressions, &data, rules, usize::MAX).map_err(|fault| bad(&fault, *first))?)
            }
        };
    }
    Ok(passing)
}

fn read_rules(text: &str) -> Result<Vec<Rule>, TransformFault> {
    let rules = crate::platform::json::parse(text.as_bytes());
    let rules = rules.map_err(|fault| TransformFault::Rules(vec![format!("not JSON: {fault}")]))?;
    let rules = rule::read(&rules, "").map_err(rules_fault)?;
    let faults: Vec<FieldFault> =
        rules.iter().enumerate().flat_map(|(index, rule)| expression_faults(index, rule)).collect();
    if faults.is_empty() { Ok(rules) } else { Err(rules_fault(faults)) }
}

/// The expressions of a rule that cannot be compiled.
fn expression_faults(index: usize, rule: &Rule) -> Vec<FieldFault> {
    let wrong = |(pointer, text): (String, &str)| {
        let fault = super::adapters::jaq::JaqProgram::compile(text).err()?;
        Some(FieldFault::new(format!("/{index}{pointer}"), "bad-expression", fault))
    };
    rule.expressions().into_iter().filter_map(wrong).collect()
}

fn rules_fault(faults: Vec<FieldFault>) -> TransformFault {
    let told = |fault: FieldFault| {
        let at = if fault.pointer.is_empty() { "the rules" } else { &fault.pointer };
        format!("{at}: {} ({})", fault.detail, fault.code)
    };
    TransformFault::Rules(faults.into_iter().map(told).collect())
}

fn bad(fault: &RuleFault, first: usize) -> TransformFault {
    TransformFault::Data(match fault {
        RuleFault::Bad { pointer, detail, .. } => format!("{}: {detail}", shifted(pointer, first)),
        RuleFault::TooLarge => "the result is too large".to_owned(),
    })
}
