//! `/data/aggregate`: the named sources side by side.

use std::{sync::Arc, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::{
    super::domain::{
        data::Json,
        freshness::Freshness,
        outcome::{SourceReport, SourceStatus},
        template::{Arguments, FillFault},
        vary::Vary,
    },
    catalogue::{Catalogue, Source},
    error::{AggregationError, Reports},
    ports::{Call, Input, Program, RequestHeaders, SourceAnswer, SourceCaller},
};
use crate::kernel::Clock;

/// Bodies up to this size are selected from at once.
const SMALL: usize = 128 * 1024;

/// The most sources of one call.
const MAX_SOURCES: usize = 32;

/// What the sources gave, in the order asked for.
#[derive(Debug)]
pub(crate) struct Aggregated {
    /// By name; `None`: it failed.
    pub(crate) data: Vec<(String, Option<Json>)>,
    /// By name.
    pub(crate) reports: Reports,
    /// Whether all answered.
    pub(crate) complete: bool,
    /// How long it took.
    pub(crate) duration: Duration,
    /// How long it may be kept.
    pub(crate) freshness: Freshness,
    /// Which of the request's headers it depends on.
    pub(crate) vary: Vary,
}

/// The use case.
pub(crate) struct Aggregate {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) caller: Arc<dyn SourceCaller>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Aggregate {
    /// Calls every source of `names`, a list with commas, with these arguments.
    pub(crate) async fn run(
        &self,
        names: &str,
        arguments: &Arguments,
        headers: &RequestHeaders,
    ) -> Result<Aggregated, AggregationError> {
        let started = self.clock.monotonic();
        let calls = self.plan(names, arguments)?;
        let mut answers: Vec<Option<SourceAnswer>> = calls.iter().map(|_| None).collect();
        let mut running: FuturesUnordered<_> = calls
            .iter()
            .enumerate()
            .map(|(index, (source, asked))| async move { (index, call(&*self.caller, source, asked, headers).await) })
            .collect();
        let mut failed = None;
        while let Some((index, answer)) = running.next().await {
            let status = answer.report.status;
            answers[index] = Some(answer);
            if calls[index].0.required && status != SourceStatus::Ok {
                failed = Some((index, status));
                break;
            }
        }
        drop(running);
        let mut aggregated = Aggregated {
            data: Vec::new(),
            reports: Vec::new(),
            complete: true,
            duration: self.clock.monotonic() - started,
            freshness: Freshness::default(),
            vary: Vary::default(),
        };
        aggregated.vary.on_credentials();
        for ((source, _), answer) in calls.iter().zip(answers) {
            let answer = answer.unwrap_or_else(|| SourceAnswer {
                report: SourceReport::skipped("ended early: a required source failed"),
                body: None,
            });
            aggregated.complete &= answer.report.status == SourceStatus::Ok;
            aggregated.freshness = aggregated.freshness.and(answer.report.freshness);
            source.forward_headers.iter().for_each(|name| aggregated.vary.on(name));
            aggregated.data.push((source.name.clone(), answer.body));
            aggregated.reports.push((source.name.clone(), answer.report));
        }
        if !aggregated.complete {
            aggregated.freshness = Freshness::NO_STORE;
        }
        if let Some((index, status)) = failed {
            return Err(AggregationError::RequiredSource {
                name: calls[index].0.name.clone(),
                timeout: status == SourceStatus::Timeout,
                retry_after: aggregated.reports[index].1.retry_after,
                reports: aggregated.reports,
            });
        }
        Ok(aggregated)
    }

    /// The sources and their addresses, or why not; nothing is called before all is known to be right.
    fn plan(&self, names: &str, arguments: &Arguments) -> Result<Vec<(Arc<Source>, Call)>, AggregationError> {
        let mut calls: Vec<(Arc<Source>, Call)> = Vec::new();
        for name in names.split(',').map(str::trim) {
            if name.is_empty() {
                return Err(AggregationError::BadQuery("`sources` names no source; expected ?sources=a,b".to_owned()));
            }
            let source = self.catalogue.source(name).ok_or_else(|| self.unknown(name))?;
            if calls.iter().any(|(known, _)| known.name == name) {
                continue;
            }
            if calls.len() == MAX_SOURCES {
                return Err(AggregationError::BadQuery(format!("expected at most {MAX_SOURCES} sources")));
            }
            let filled = source.url.fill(arguments).map_err(|fault| match fault {
                FillFault::Missing(argument) => {
                    AggregationError::MissingArgument { source_name: name.to_owned(), argument }
                }
                FillFault::Segment => {
                    AggregationError::BadArgument { source_name: name.to_owned(), detail: fault.to_string() }
                }
            })?;
            calls.push((Arc::clone(source), Call { url: filled.url, values: filled.values, ..Call::default() }));
        }
        Ok(calls)
    }

    fn unknown(&self, name: &str) -> AggregationError {
        let known: Vec<&str> = self.catalogue.sources.iter().map(|source| source.name.as_str()).collect();
        let expected = if known.is_empty() { "none: no source is configured".to_owned() } else { known.join(", ") };
        AggregationError::UnknownSource { name: name.chars().take(64).collect(), expected }
    }
}

/// Calls a source and applies its `select`.
pub(crate) async fn call(
    caller: &dyn SourceCaller,
    source: &Arc<Source>,
    asked: &Call,
    headers: &RequestHeaders,
) -> SourceAnswer {
    let mut answer = caller.call(source, asked, headers).await;
    if let (Some(select), Some(body)) = (&source.select, &answer.body) {
        match one(selected(select, body).await) {
            Ok(selected) => answer.body = Some(selected),
            Err(fault) => {
                answer.body = None;
                answer.report.status = SourceStatus::Error;
                answer.report.detail = Some(format!("select: {fault}"));
            }
        }
    }
    answer
}

/// A small body is quicker done than handed over; a large one must not hold up what this thread serves besides.
async fn selected(select: &Arc<dyn Program>, body: &Json) -> Result<Vec<Json>, String> {
    if body.get().len() <= SMALL {
        return select.run(Input::Body(body), 2);
    }
    let (select, body) = (Arc::clone(select), Arc::clone(body));
    let running = tokio::task::spawn_blocking(move || select.run(Input::Body(&body), 2));
    running.await.unwrap_or_else(|_| Err("the program broke off".to_owned()))
}

/// Exactly one output.
pub(crate) fn one(outputs: Result<Vec<Json>, String>) -> Result<Json, String> {
    let mut outputs = outputs?;
    match (outputs.pop(), outputs.is_empty()) {
        (Some(output), true) => Ok(output),
        (None, _) => Err("the program gave no value".to_owned()),
        (Some(_), false) => Err("the program gave more than one value".to_owned()),
    }
}
