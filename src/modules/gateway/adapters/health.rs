//! Active health checks: a task an upstream asks each of its targets, and decides by answers in a row.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix_web::rt::time::{interval, timeout};
use http::{Request, header};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{target::Target, upstream::Upstream};
use crate::modules::gateway::config::HealthConfig;

/// Checks an upstream's targets for ever; the caller ends the task.
pub(super) async fn watch(upstream: Arc<Upstream>) {
    let Some(health) = upstream.health.clone() else { return };
    let targets = 0..upstream.targets.len();
    futures_util::future::join_all(targets.map(|number| watch_target(&upstream, number, &health))).await;
}

async fn watch_target(upstream: &Upstream, number: usize, health: &HealthConfig) {
    let target = &upstream.targets[number];
    let mut ticks = interval(health.interval.get());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut good, mut bad) = (0u32, 0u32);
    loop {
        ticks.tick().await;
        if !target.is_present() {
            (good, bad) = (0, 0);
            continue;
        }
        if is_well(target, &health.path, health.timeout.get()).await {
            (good, bad) = (good.saturating_add(1), 0);
        } else {
            (good, bad) = (0, bad.saturating_add(1));
        }
        let was = target.healthy.load(Ordering::Relaxed);
        let is = if was { bad < health.unhealthy_after } else { good >= health.healthy_after };
        if was != is {
            if is {
                target.came_back(upstream.now());
            }
            target.healthy.store(is, Ordering::Relaxed);
            tracing::warn!(
                event = "target_health_changed",
                upstream = upstream.name,
                target = target.url,
                healthy = is
            );
        }
    }
}

/// Whether the target answers 2xx in time.
async fn is_well(target: &Target, path: &str, time: Duration) -> bool {
    timeout(time, ask(target, path)).await.ok().flatten().is_some_and(|status| status.is_success())
}

async fn ask(target: &Target, path: &str) -> Option<http::StatusCode> {
    let stream = super::connection::Stream::open(&target.place()).await.ok()?;
    if target.endpoint.h2.is_some() {
        return ask_h2(target, path, stream).await;
    }
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get(format!("{}{path}", target.base_path))
        .header(header::HOST, target.authority.clone())
        .header(header::USER_AGENT, "vestibule-health")
        .header(header::CONNECTION, "close")
        .body(Empty::<bytes::Bytes>::new())
        .ok()?;
    let answer = sender.send_request(request);
    tokio::select! {
        answer = answer => answer.ok().map(|answer| answer.status()),
        () = async { let _ = driver.await; std::future::pending::<()>().await } => None,
    }
}

async fn ask_h2(target: &Target, path: &str, stream: super::connection::Stream) -> Option<http::StatusCode> {
    let (scheme, authority) = target.endpoint.h2.clone()?;
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, driver) = handshake.await.ok()?;
    let uri = http::Uri::builder().scheme(scheme).authority(authority);
    let request = Request::get(uri.path_and_query(format!("{}{path}", target.base_path)).build().ok()?)
        .header(header::USER_AGENT, "vestibule-health")
        .body(Empty::<bytes::Bytes>::new())
        .ok()?;
    let answer = sender.send_request(request);
    tokio::select! {
        answer = answer => answer.ok().map(|answer| answer.status()),
        () = async { let _ = driver.await; std::future::pending::<()>().await } => None,
    }
}
