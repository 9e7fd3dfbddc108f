//! Asks sources for a field of many objects at once: equal calls of one request are made once, elements are put together
//! where the field says how, and nothing is waited for when the request's time is over.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream,
};
use tokio::{sync::OnceCell, time::Instant};

use super::super::{
    application::{
        aggregate::{call, one},
        batch::Batched,
        catalogue::{Source, Step},
        ports::{Call, Input, RequestHeaders, SourceAnswer, SourceCaller},
        run_endpoint::{arguments, call_of},
    },
    domain::{
        data::Json,
        freshness::Freshness,
        outcome::{SourceReport, SourceStatus},
        template::Arguments,
    },
};

/// Calls by what is asked, each made once.
type Made = HashMap<(String, Call), Arc<OnceCell<SourceAnswer>>>;

/// The calls of one request.
pub(super) struct Calls<'a> {
    pub(super) caller: &'a dyn SourceCaller,
    pub(super) headers: &'a RequestHeaders,
    /// What programs see of the headers.
    pub(super) seen_headers: Json,
    pub(super) deadline: Instant,
    /// How many may still be made.
    pub(super) left: AtomicUsize,
    made: Mutex<Made>,
    freshness: Mutex<Freshness>,
}

/// What is to be asked.
struct Prepared {
    /// For each parent what is known already; `None`: the next answer is its own.
    places: Vec<Option<Fetched>>,
    calls: Vec<Result<Call, String>>,
    batched: Option<Batched>,
}

/// What became of one object's part. `Ok(None)`: there was nothing to ask for.
pub(super) type Fetched = Result<Option<Json>, SourceReport>;

impl<'a> Calls<'a> {
    pub(super) fn new(
        caller: &'a dyn SourceCaller,
        headers: &'a RequestHeaders,
        seen_headers: Json,
        deadline: Instant,
        most: usize,
    ) -> Self {
        let (made, freshness) = (Mutex::default(), Mutex::new(Freshness::default()));
        Self { caller, headers, seen_headers, deadline, left: AtomicUsize::new(most), made, freshness }
    }

    /// How long what was asked for so far may be kept.
    pub(super) fn freshness(&self) -> Freshness {
        *self.freshness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was asked: a mutation may have changed it.
    pub(super) fn forget(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The answer for each of `parents`, in their order. A source's argument that is null means that there is nothing to ask
    /// for. `is_change`: every call is made, whatever was asked before.
    pub(super) fn fetch<'b>(
        &'b self,
        step: &'b Step,
        args: &Json,
        parents: &[Json],
        is_change: bool,
    ) -> BoxFuture<'b, Vec<Fetched>> {
        let prepared = self.prepare(step, args, parents);
        async move {
            let Prepared { places, calls, batched } = prepared;
            let answers = match (&step.batch, batched) {
                (Some(batch), Some(batched)) => {
                    let made = self.make(step, &batched.calls, is_change).await;
                    batch.assemble(&batched, &made)
                }
                _ => self.make(step, &calls, is_change).await,
            };
            let mut answers = answers.into_iter();
            let next = |known: Option<Fetched>| known.unwrap_or_else(|| answers.next().map_or(Ok(None), outcome));
            places.into_iter().map(next).collect()
        }
        .boxed()
    }

    /// The calls, and which parents have one.
    fn prepare(&self, step: &Step, args: &Json, parents: &[Json]) -> Prepared {
        let request = [("args", Arc::clone(args)), ("headers", Arc::clone(&self.seen_headers))];
        let scope = Input::Scope { request: &request, results: &[], item: None };
        let filled = arguments(step, scope, parents);
        let needed = step.source.url.arguments();
        let mut prepared = Prepared { places: Vec::with_capacity(parents.len()), calls: Vec::new(), batched: None };
        let (mut asked, mut elements): (Vec<Arguments>, Vec<Json>) = (Vec::new(), Vec::new());
        for (filled, parent) in filled.into_iter().zip(parents) {
            prepared.places.push(match filled {
                Err(fault) => Some(Err(SourceReport::failed(SourceStatus::Error, fault))),
                Ok(filled) if needed.iter().any(|name| !filled.contains_key(*name)) => Some(Ok(None)),
                Ok(filled) => {
                    asked.push(filled);
                    elements.push(Arc::clone(parent));
                    None
                }
            });
        }
        if asked.is_empty() {
            return prepared;
        }
        if let Some(batch) = &step.batch {
            prepared.batched = Some(batch.plan(step, scope, &elements));
            return prepared;
        }
        let bodies = match &step.body {
            None => vec![Ok(None); asked.len()],
            Some(program) => {
                let made = program.run_each(scope, &elements, 2).into_iter();
                made.map(|body| one(body).map(|body| Some(body.get().to_owned()))).collect()
            }
        };
        for (filled, body) in asked.iter().zip(bodies) {
            let body: Result<Option<String>, String> = body.map_err(|fault: String| format!("body: {fault}"));
            prepared.calls.push(body.and_then(|body| call_of(step, filled, Arguments::new(), body)));
        }
        prepared
    }

    /// Makes the calls, so many at a time.
    async fn make(&self, step: &Step, calls: &[Result<Call, String>], is_change: bool) -> Vec<SourceAnswer> {
        let made: Vec<_> = calls.iter().map(|asked| self.one(&step.source, asked, is_change)).collect();
        stream::iter(made).buffered(step.concurrency.max(1)).collect().await
    }

    async fn one(&self, source: &Arc<Source>, asked: &Result<Call, String>, is_change: bool) -> SourceAnswer {
        match asked {
            Err(fault) => failed(SourceStatus::Error, fault),
            Ok(asked) if is_change => self.call(source, asked).await,
            Ok(asked) => {
                let key = (source.name.clone(), asked.clone());
                let cell = Arc::clone(self.made.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
                cell.get_or_init(|| self.call(source, asked)).await.clone()
            }
        }
    }

    async fn call(&self, source: &Arc<Source>, asked: &Call) -> SourceAnswer {
        let one_less = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
            return failed(SourceStatus::Error, "not called: the request makes more calls than it may");
        }
        let called = tokio::time::timeout_at(self.deadline, call(self.caller, source, asked, self.headers)).await;
        let answer = called.unwrap_or_else(|_| failed(SourceStatus::Timeout, "the request's time was over"));
        let mut freshness = self.freshness.lock().unwrap_or_else(PoisonError::into_inner);
        *freshness = freshness.and(answer.report.freshness);
        answer
    }
}

fn failed(status: SourceStatus, detail: impl Into<String>) -> SourceAnswer {
    SourceAnswer { report: SourceReport::failed(status, detail), body: None }
}

fn outcome(answer: SourceAnswer) -> Fetched {
    match answer.body {
        Some(body) => Ok(Some(body)),
        None => Err(answer.report),
    }
}
