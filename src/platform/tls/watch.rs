//! Notices that certificates were exchanged. The folders are watched, not the files: an exchange is often a rename, or a
//! link that leads elsewhere from now on.

use std::{collections::HashSet, path::Path, time::Duration};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

use super::ServerTls;

/// A certificate and its key come one after the other.
const SETTLE: Duration = Duration::from_millis(300);

/// Reads the files again whenever something happens in their folders; until the task is ended.
pub fn watch(tls: ServerTls) -> JoinHandle<()> {
    let reloaded = |outcome: &'static str| metrics::counter!("tls_reloads_total", "outcome" => outcome);
    reloaded("success").increment(0);
    reloaded("error").increment(0);
    tokio::spawn(async move {
        let (sender, mut changes) = mpsc::channel(1);
        let _watcher = match start(&tls, sender) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::error!(event = "tls_watch_failed", %error, detail = "certificates stay as they are until a restart");
                return;
            }
        };
        while changes.recv().await.is_some() {
            sleep(SETTLE).await;
            while changes.try_recv().is_ok() {}
            match tls.reload() {
                Ok(()) => {
                    reloaded("success").increment(1);
                    tracing::info!(event = "tls_reloaded");
                }
                Err(fault) => {
                    reloaded("error").increment(1);
                    tracing::error!(event = "tls_reload_failed", %fault, detail = "the former certificate is still shown");
                }
            }
        }
    })
}

fn start(tls: &ServerTls, sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // Reading the files must not be taken for a change of them.
        if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
            let _ = sender.try_send(());
        }
    })?;
    let files = tls.files();
    let folders: HashSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}
