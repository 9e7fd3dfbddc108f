//! Breakers that instances share: one that opens here is told to the others, and one that opened elsewhere opens here. Never
//! on the way of a request, and never for longer than this instance would keep it open itself.

use std::sync::Arc;

use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};

use super::upstream::Upstream;
use crate::platform::breaker_news::BreakerNews;

/// Connects the breakers of these upstreams with those of other instances.
pub(super) fn share(upstreams: &[Arc<Upstream>], news: &Arc<dyn BreakerNews>) -> JoinHandle<()> {
    for upstream in upstreams {
        let (news, name) = (news.clone(), upstream.name.clone());
        upstream.breaker.when_tripped(move |pause| news.opened(&name, pause));
    }
    let upstreams: Vec<_> =
        upstreams.iter().map(|upstream| (upstream.name.clone(), upstream.breaker.clone())).collect();
    let mut heard = news.heard();
    tokio::spawn(async move {
        loop {
            match heard.recv().await {
                Ok(opened) => {
                    for (_, breaker) in upstreams.iter().filter(|(name, _)| *name == *opened.name) {
                        tracing::info!(event = "circuit_breaker_told", upstream = &*opened.name);
                        breaker.open(opened.pause);
                    }
                }
                // What was missed is found out by failures.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    })
}
