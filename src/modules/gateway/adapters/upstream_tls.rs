//! Certificates, keys and authorities of an upstream are read again when their files change. New connections are made with
//! them; those that stand go on.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::upstream::Upstream;
use crate::platform::{tls::ClientConnector, watch::FileWatch};

/// A certificate and its key come one after the other.
const SETTLE: Duration = Duration::from_millis(300);

impl Upstream {
    /// What makes its connections, where that comes from files, and the files.
    pub(super) fn tls_files(&self) -> Option<(&ClientConnector, Vec<PathBuf>)> {
        // All targets of an upstream are reached in the same way.
        let tls = self.targets.iter().find_map(|target| target.endpoint.tls.as_ref())?;
        let files = tls.connector.files();
        (!files.is_empty()).then_some((&tls.connector, files))
    }
}

/// Reads the files of an upstream again whenever one of them is another, for ever; the caller ends the task.
pub(super) async fn watch(upstream: Arc<Upstream>) {
    let Some((connector, files)) = upstream.tls_files() else { return };
    let reloaded = |outcome: &'static str| metrics::counter!("upstream_tls_reloads_total", "upstream" => upstream.name.clone(), "outcome" => outcome);
    reloaded("success").increment(0);
    reloaded("error").increment(0);
    let mut changes = match FileWatch::start(&files) {
        Ok(changes) => changes,
        Err(error) => {
            let detail = "certificates stay as they are until the upstream changes";
            tracing::error!(event = "upstream_tls_watch_failed", upstream = upstream.name, error, detail);
            return;
        }
    };
    loop {
        changes.changed(SETTLE).await;
        match connector.reload() {
            Ok(()) => {
                reloaded("success").increment(1);
                tracing::info!(event = "upstream_tls_reloaded", upstream = upstream.name);
            }
            Err(fault) => {
                reloaded("error").increment(1);
                let detail = "connections are made with the former files";
                tracing::error!(event = "upstream_tls_reload_failed", upstream = upstream.name, %fault, detail);
            }
        }
    }
}
