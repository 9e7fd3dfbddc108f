//! Hedging: when an answer does not come for a while, another target is asked too, and the first answer is the answer. Only
//! for requests that change nothing and have no body, and within a budget.

use std::{
    future::Future,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::sleep;

use super::{Answer, Fault, attempt, judge_fault};
use crate::{
    modules::gateway::adapters::{
        outgoing::Outgoing,
        pool::Pool,
        upstream::{Hedge, Place, Upstream},
    },
    platform::resilience::Permit,
};

/// One target that was asked.
pub(super) struct Asked {
    pub(super) number: usize,
    pub(super) permit: Permit,
    pub(super) place: Place,
    pub(super) outcome: Result<Answer, Fault>,
    pub(super) took: Duration,
}

/// What is asked, of whichever target.
pub(super) struct Question<'a> {
    pub(super) upstream: &'a Arc<Upstream>,
    pub(super) pool: &'a Rc<Pool>,
    pub(super) outgoing: &'a Outgoing<'a>,
    pub(super) hash_key: Option<u64>,
    pub(super) deadline: Option<Instant>,
}

impl Question<'_> {
    /// Asks one target, and others while it says nothing. Whoever is asked and not needed is broken off.
    pub(super) async fn ask(&self, number: usize, permit: Permit, place: Place, tried: &[usize]) -> Asked {
        let upstream = self.upstream;
        let outgoing = self.outgoing;
        let may_ask_twice = outgoing.progress.is_none() && outgoing.upgrade.is_none() && outgoing.is_safe();
        let hedge = upstream.hedge.as_ref().filter(|_| may_ask_twice);
        match hedge {
            None => self.one(number, permit, place).await,
            // In a box: who does not hedge does not carry it along.
            Some(hedge) => Box::pin(self.race(hedge, number, permit, place, tried)).await,
        }
    }

    fn one(&self, number: usize, permit: Permit, place: Place) -> impl Future<Output = Asked> {
        let started = Instant::now();
        async move {
            let outcome = attempt(self.upstream, number, self.pool, self.outgoing, started, self.deadline).await;
            Asked { number, permit, place, outcome, took: started.elapsed() }
        }
    }

    async fn race(&self, hedge: &Hedge, number: usize, permit: Permit, place: Place, tried: &[usize]) -> Asked {
        let mut asked: Vec<usize> = tried.iter().copied().chain([number]).collect();
        let mut running: FuturesUnordered<_> = std::iter::once(self.one(number, permit, place)).collect();
        let mut left = hedge.max;
        loop {
            tokio::select! {
                biased;
                Some(done) = running.next() => match &done.outcome {
                    // Another may still do better.
                    Err(fault) if !running.is_empty() => {
                        judge_fault(self.upstream, done.number, done.permit, *fault, self.outgoing);
                    }
                    _ => return done,
                },
                () = sleep(hedge.after), if left > 0 => {
                    left -= 1;
                    let Some((number, permit, place)) = self.another(hedge, &asked) else { continue };
                    asked.push(number);
                    running.push(self.one(number, permit, place));
                }
            }
        }
    }

    /// Another target that may be asked.
    fn another(&self, hedge: &Hedge, asked: &[usize]) -> Option<(usize, Permit, Place)> {
        let upstream = self.upstream;
        let number = upstream.choose(asked, self.hash_key)?;
        let mut place = upstream.enter()?;
        let permit = upstream.breaker.admit().ok()?;
        let budget = upstream.retry.as_ref().map_or(&hedge.budget, |retry| &retry.budget);
        if !budget.withdraw() {
            return None;
        }
        place.at(number);
        upstream.metrics.hedged.increment(1);
        Some((number, permit, place))
    }
}
