//! A configured endpoint: its steps run as their graph allows, each the moment what it waits for is there.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    super::domain::{
        data::{Json, null},
        freshness::Freshness,
        outcome::{SourceReport, SourceStatus},
        template::{Arguments, FillFault},
    },
    aggregate::{call, one},
    batch::Batched,
    catalogue::{Endpoint, Step},
    error::AggregationError,
    ports::{Call, Input, Program, RequestHeaders, SourceAnswer, SourceCaller},
};
use crate::kernel::Clock;

/// The most calls of one `for_each`.
const MAX_ITEMS: usize = 1_000;

/// What an endpoint answers.
#[derive(Debug)]
pub(crate) struct EndpointAnswer {
    /// The body.
    pub(crate) response: Json,
    /// Whether every step went well.
    pub(crate) complete: bool,
    /// How long it may be kept.
    pub(crate) freshness: Freshness,
    /// When each step ran, in the order of the configuration.
    pub(crate) timeline: Vec<StepTrace>,
}

/// One step in the timeline.
#[derive(Debug, Clone)]
pub(crate) struct StepTrace {
    /// The name of its result.
    pub(crate) name: String,
    /// The source it called.
    pub(crate) source: String,
    /// How it went.
    pub(crate) report: SourceReport,
    /// When it started, after the endpoint did.
    pub(crate) started: Duration,
    /// How many calls it made.
    pub(crate) calls: usize,
}

/// The use case.
pub(crate) struct RunEndpoint {
    pub(crate) caller: Arc<dyn SourceCaller>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// How a step ended.
struct Done {
    trace: StepTrace,
    /// What later steps and the answer see; `None`: it failed and nothing stands in.
    result: Option<Json>,
    /// Its `when` said no, or that of a step it needs; then nothing is missing.
    unwanted: bool,
}

impl RunEndpoint {
    /// Runs the steps and makes the answer. `request` is `path`, `query` and `headers`, each an object.
    pub(crate) async fn run(
        &self,
        endpoint: &Endpoint,
        request: &[(&'static str, Json)],
        headers: &RequestHeaders,
    ) -> Result<EndpointAnswer, AggregationError> {
        let started = self.clock.monotonic();
        let run = Run { caller: &*self.caller, clock: &*self.clock, endpoint, request, headers, started };
        let deadline = Instant::now() + endpoint.timeout;
        let mut done: Vec<Option<Done>> = endpoint.steps.iter().map(|_| None).collect();
        let mut begun: Vec<Option<Duration>> = vec![None; endpoint.steps.len()];
        let mut running = FuturesUnordered::new();
        let mut in_time = true;
        loop {
            for (index, waits_for) in endpoint.plan.waits_for.iter().enumerate() {
                let ready = waits_for.iter().all(|other| done[*other].is_some());
                if begun[index].is_none() && ready {
                    begun[index] = Some(run.elapsed());
                    let prepared = run.prepare(index, &done);
                    running.push(run.step(index, prepared));
                }
            }
            let next = tokio::time::timeout_at(deadline, running.next()).await;
            let Ok(next) = next else {
                in_time = false;
                break;
            };
            let Some((index, ended)) = next else { break };
            let failed = endpoint.steps[index].required && ended.result.is_none();
            done[index] = Some(ended);
            if failed {
                break;
            }
        }
        drop(running);
        let steps: Vec<Done> = done
            .into_iter()
            .enumerate()
            .map(|(index, done)| done.unwrap_or_else(|| run.unfinished(index, begun[index], in_time)))
            .collect();
        run.finish(steps)
    }
}

/// One run of an endpoint.
struct Run<'a> {
    caller: &'a dyn SourceCaller,
    clock: &'a dyn Clock,
    endpoint: &'a Endpoint,
    request: &'a [(&'static str, Json)],
    headers: &'a RequestHeaders,
    started: std::time::Instant,
}

/// The calls a step will make, or why it will not.
enum Prepared {
    One(Call),
    Each(Vec<Result<Call, String>>),
    Batch(Batched),
    Not(SourceReport),
    Unwanted,
}

impl Run<'_> {
    fn elapsed(&self) -> Duration {
        self.clock.monotonic() - self.started
    }

    /// Evaluates a step's programs over the results it may see.
    fn prepare(&self, index: usize, done: &[Option<Done>]) -> Prepared {
        let step = &self.endpoint.steps[index];
        let seen = self.endpoint.plan.sees[index].iter().filter_map(|other| done[*other].as_ref());
        let mut results = Vec::new();
        let (mut all_went_well, mut all_wanted) = (true, true);
        for other in seen {
            all_went_well &= other.trace.report.status == SourceStatus::Ok;
            all_wanted &= !other.unwanted;
            results.push((other.trace.name.as_str(), other.result.clone().unwrap_or_else(null)));
        }
        // Without what it needs a step is skipped; with all of it there, what goes wrong is an error.
        let not = |detail: String| {
            if !all_wanted {
                return Prepared::Unwanted;
            }
            let status = if all_went_well { SourceStatus::Error } else { SourceStatus::Skipped };
            Prepared::Not(SourceReport::failed(status, detail))
        };
        let scope = self.scope(&results);
        match step.when.as_ref().map(|when| one(when.run(scope, 2))) {
            Some(Ok(answer)) if matches!(answer.get(), "false" | "null") => return Prepared::Unwanted,
            Some(Err(fault)) => return not(format!("when: {fault}")),
            _ => {}
        }
        let Some(for_each) = &step.for_each else {
            let made = calls(step, scope, &[null()]).pop();
            return match made.unwrap_or_else(|| Err("no call".to_owned())) {
                Ok(call) => Prepared::One(call),
                Err(fault) => not(fault),
            };
        };
        match for_each.run(scope, MAX_ITEMS + 1) {
            Err(fault) => not(format!("for_each: {fault}")),
            Ok(items) if items.len() > MAX_ITEMS => not(format!("for_each: more than {MAX_ITEMS} elements")),
            Ok(items) => match &step.batch {
                Some(batch) => Prepared::Batch(batch.plan(step, scope, &items)),
                None => Prepared::Each(calls(step, scope, &items)),
            },
        }
    }

    fn scope<'b>(&'b self, results: &'b [(&'b str, Json)]) -> Input<'b> {
        Input::Scope { request: self.request, results, item: None }
    }

    async fn step(&self, index: usize, prepared: Prepared) -> (usize, Done) {
        let step = &self.endpoint.steps[index];
        let began = self.elapsed();
        let unwanted = matches!(prepared, Prepared::Unwanted);
        let (mut report, result, calls) = match prepared {
            Prepared::Not(report) => (report, None, 0),
            Prepared::Unwanted => (SourceReport::skipped("not wanted"), Some(null()), 0),
            Prepared::One(asked) => {
                let answer = call(self.caller, &step.source, &asked, self.headers).await;
                (answer.report, answer.body, 1)
            }
            Prepared::Each(calls) => self.each(step, &calls).await,
            Prepared::Batch(batched) => self.batch(step, batched).await,
        };
        let result = result.or_else(|| step.fallback.clone());
        report.duration = self.elapsed().saturating_sub(began);
        let trace =
            StepTrace { name: step.name.clone(), source: step.source.name.clone(), report, started: began, calls };
        (index, Done { trace, result, unwanted })
    }

    /// Calls for every element, so many at a time; the results keep the elements' order.
    async fn each(&self, step: &Step, calls: &[Result<Call, String>]) -> (SourceReport, Option<Json>, usize) {
        let (answers, made) = self.made(step, calls).await;
        together(step, answers, made)
    }

    /// The same for many elements in one call.
    async fn batch(&self, step: &Step, batched: Batched) -> (SourceReport, Option<Json>, usize) {
        let (answers, made) = self.made(step, &batched.calls).await;
        let answers = step.batch.as_ref().map(|batch| batch.assemble(&batched, &answers)).unwrap_or_default();
        together(step, answers, made)
    }

    /// Makes the calls, equal ones once; how many that were.
    async fn made(&self, step: &Step, calls: &[Result<Call, String>]) -> (Vec<SourceAnswer>, usize) {
        let mut position: HashMap<&Call, usize> = HashMap::new();
        let mut distinct = Vec::new();
        for asked in calls.iter().flatten() {
            position.entry(asked).or_insert_with(|| {
                distinct.push(asked);
                distinct.len() - 1
            });
        }
        let made: Vec<SourceAnswer> = stream::iter(&distinct)
            .map(|asked| call(self.caller, &step.source, asked, self.headers))
            .buffered(step.concurrency.max(1))
            .collect()
            .await;
        let answer = |asked: &Result<Call, String>| match asked {
            Ok(asked) => made[position[asked]].clone(),
            Err(fault) => {
                SourceAnswer { report: SourceReport::failed(SourceStatus::Error, fault.as_str()), body: None }
            }
        };
        (calls.iter().map(answer).collect(), distinct.len())
    }

    fn unfinished(&self, index: usize, began: Option<Duration>, in_time: bool) -> Done {
        let step = &self.endpoint.steps[index];
        let mut report = match (began, in_time) {
            (_, true) => SourceReport::skipped("ended early: a required step failed"),
            (Some(_), false) => SourceReport::failed(SourceStatus::Timeout, "the endpoint's time was over"),
            (None, false) => SourceReport::skipped("the endpoint's time was over before it could start"),
        };
        let now = self.elapsed();
        let started = began.unwrap_or(now);
        report.duration = now.saturating_sub(started);
        let calls = usize::from(began.is_some());
        let trace = StepTrace { name: step.name.clone(), source: step.source.name.clone(), report, started, calls };
        Done { trace, result: step.fallback.clone(), unwanted: false }
    }

    fn finish(&self, steps: Vec<Done>) -> Result<EndpointAnswer, AggregationError> {
        // What decides is a required step that was tried; one that could not start follows from another.
        let lost =
            || self.endpoint.steps.iter().zip(&steps).filter(|(step, done)| step.required && done.result.is_none());
        let tried = lost().find(|(_, done)| done.trace.report.status != SourceStatus::Skipped);
        if let Some((step, done)) = tried.or_else(|| lost().next()) {
            let timeout = done.trace.report.status == SourceStatus::Timeout
                || steps.iter().any(|done| done.trace.report.status == SourceStatus::Timeout);
            let reports = steps.iter().map(|done| (done.trace.name.clone(), done.trace.report.clone())).collect();
            let timeout = timeout && done.trace.report.status != SourceStatus::Error;
            let (name, retry_after) = (step.name.clone(), done.trace.report.retry_after);
            return Err(AggregationError::RequiredSource { name, timeout, retry_after, reports });
        }
        let complete = steps.iter().all(|done| done.unwanted || done.trace.report.status == SourceStatus::Ok);
        let results: Vec<(&str, Json)> =
            steps.iter().map(|done| (done.trace.name.as_str(), done.result.clone().unwrap_or_else(null))).collect();
        let response = match (&self.endpoint.shape, &self.endpoint.response) {
            (Some(shape), _) => {
                Arc::from(RawValue::from_string(shape.fill(&results)).expect("JSON texts, put together as JSON"))
            }
            (None, Some(program)) => self.respond(&**program, &results)?,
            (None, None) => object(&results),
        };
        let called = steps.iter().filter(|done| !done.unwanted).map(|done| done.trace.report.freshness);
        let freshness = if complete { called.fold(Freshness::default(), Freshness::and) } else { Freshness::NO_STORE };
        let timeline = steps.into_iter().map(|done| done.trace).collect();
        Ok(EndpointAnswer { response, complete, freshness, timeline })
    }

    fn respond(&self, program: &dyn Program, results: &[(&str, Json)]) -> Result<Json, AggregationError> {
        one(program.run(self.scope(results), 2)).map_err(AggregationError::Response)
    }
}

/// What all elements are together, after so many calls.
fn together(step: &Step, answers: Vec<SourceAnswer>, calls: usize) -> (SourceReport, Option<Json>, usize) {
    let total = answers.len();
    let failed = answers.iter().filter(|answer| answer.body.is_none()).count();
    let first_failure = answers.iter().find(|answer| answer.body.is_none()).map(|answer| answer.report.clone());
    let mut report =
        first_failure.unwrap_or_else(|| SourceReport::ok(answers.last().and_then(|answer| answer.report.http_status)));
    report.freshness = answers.iter().map(|answer| answer.report.freshness).fold(Freshness::default(), Freshness::and);
    if failed > 0 {
        let why = report.detail.take().unwrap_or_default();
        report.detail = Some(format!("{failed} of {total} calls failed; the first: {why}"));
    }
    // Failed elements are null in their place. A required step fails when it has nothing at all.
    if step.required && total > 0 && failed == total {
        return (report, None, calls);
    }
    let items: Vec<Json> = answers.into_iter().map(|answer| answer.body.unwrap_or_else(null)).collect();
    let text = format!("[{}]", items.iter().map(|item| item.get()).collect::<Vec<_>>().join(","));
    let array = RawValue::from_string(text).expect("an array of JSON texts");
    (report, Some(Arc::from(array)), calls)
}

/// What a call is made of: arguments, headers, body.
type Parts = ((Result<Arguments, String>, Result<Arguments, String>), Result<Option<Json>, String>);

/// The call for each item.
fn calls(step: &Step, scope: Input<'_>, items: &[Json]) -> Vec<Result<Call, String>> {
    let bodies = match &step.body {
        Some(program) => program.run_each(scope, items, 2).into_iter().map(|body| one(body).map(Some)).collect(),
        None => vec![Ok(None); items.len()],
    };
    let call = |((arguments, headers), body): Parts| {
        let arguments = arguments?;
        let body = body.map_err(|fault| format!("body: {fault}"))?.map(|body| body.get().to_owned());
        call_of(step, &arguments, headers?, body)
    };
    let headers = headers(step, scope, items);
    arguments(step, scope, items).into_iter().zip(headers).zip(bodies).map(call).collect()
}

/// The arguments for each item; one that is null is left out.
pub(crate) fn arguments(step: &Step, scope: Input<'_>, items: &[Json]) -> Vec<Result<Arguments, String>> {
    computed("with", &step.arguments, scope, items)
}

/// The headers for each item; one that is null is left out.
pub(super) fn headers(step: &Step, scope: Input<'_>, items: &[Json]) -> Vec<Result<Arguments, String>> {
    computed("headers", &step.headers, scope, items)
}

/// What the programs under this key give for each item, as texts.
fn computed(
    key: &str,
    programs: &[(String, Arc<dyn Program>)],
    scope: Input<'_>,
    items: &[Json],
) -> Vec<Result<Arguments, String>> {
    let mut filled: Vec<Result<Arguments, String>> = items.iter().map(|_| Ok(Arguments::new())).collect();
    for (name, program) in programs {
        for (values, outputs) in filled.iter_mut().zip(program.run_each(scope, items, 2)) {
            let text = one(outputs).and_then(|value| as_argument(&value));
            match (text.map_err(|fault| format!("{key}.{name}: {fault}")), values.as_mut()) {
                (Ok(Some(text)), Ok(values)) => drop(values.insert(name.clone(), text)),
                (Err(fault), Ok(_)) => *values = Err(fault),
                _ => {}
            }
        }
    }
    filled
}

/// The call with these arguments and headers.
pub(crate) fn call_of(
    step: &Step,
    arguments: &Arguments,
    headers: Arguments,
    body: Option<String>,
) -> Result<Call, String> {
    let filled = step.source.url.fill(arguments).map_err(|fault| match fault {
        FillFault::Missing(name) => format!("the argument `{name}` is null"),
        FillFault::Segment => fault.to_string(),
    })?;
    Ok(Call { url: filled.url, values: filled.values, headers: headers.into_iter().collect(), body })
}

/// An object of these members, in this order.
pub(crate) fn object(members: &[(&str, Json)]) -> Json {
    let mut text = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(*name).to_string());
        text.push(':');
        text.push_str(value.get());
    }
    text.push('}');
    Arc::from(RawValue::from_string(text).expect("an object of JSON texts"))
}

/// An object of texts; several values of one name become an array.
pub(crate) fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Json {
    let mut grouped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in pairs {
        grouped.entry(name).or_default().push(value);
    }
    let members: serde_json::Map<String, serde_json::Value> = grouped
        .into_iter()
        .map(|(name, mut values)| {
            let value = if values.len() == 1 { values.remove(0).into() } else { values.into() };
            (name.to_owned(), value)
        })
        .collect();
    Arc::from(serde_json::value::to_raw_value(&members).expect("an object of texts"))
}

/// What stands in an address for a value; `null` is no argument.
fn as_argument(value: &RawValue) -> Result<Option<String>, String> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).map(Some).map_err(|fault| fault.to_string()),
        Some(b'n') => Ok(None),
        Some(b'{' | b'[') => Err("expected a text or a number".to_owned()),
        _ => Ok(Some(text.to_owned())),
    }
}
