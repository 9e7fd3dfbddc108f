//! Breakers that instances share: one that opens here is told to the others, and one that opened elsewhere opens here. Never
//! on the way of a request, and never for longer than this instance would keep it open itself.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};

use super::{pipeline::Shared, upstream::Upstream};
use crate::platform::breaker_news::BreakerNews;

/// From now on the others are told when the breaker of an upstream opens.
pub(super) fn tell(upstream: &Upstream, news: &Arc<dyn BreakerNews>) {
    let (news, name) = (news.clone(), upstream.name.clone());
    upstream.breaker.when_tripped(move |pause| news.opened(&name, pause));
}

/// Opens the breakers of the current upstreams that opened elsewhere, for ever; the caller ends the task.
pub(super) fn listen(news: &dyn BreakerNews, current: Arc<ArcSwap<Shared>>) -> JoinHandle<()> {
    let mut heard = news.heard();
    tokio::spawn(async move {
        loop {
            match heard.recv().await {
                Ok(opened) => {
                    let current = current.load_full();
                    for upstream in current.upstreams.iter().filter(|upstream| *upstream.name == *opened.name) {
                        tracing::info!(event = "circuit_breaker_told", upstream = &*opened.name);
                        upstream.breaker.open(opened.pause);
                    }
                }
                // What was missed is found out by failures.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    })
}
