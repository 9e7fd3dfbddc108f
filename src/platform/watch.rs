//! Watches files for changes. The folders are what is watched, because editors and orchestrators put a new file in the
//! place of the old one.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::sync::Notify;

/// A change is told after so many times the settling time, however long it goes on.
const MOST_SETTLING: u32 = 20;

/// Watches files as long as it lives.
pub struct FileWatch {
    files: Vec<PathBuf>,
    seen: Vec<Option<Vec<u8>>>,
    touched: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl std::fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWatch").field("files", &self.files).finish_non_exhaustive()
    }
}

impl FileWatch {
    /// Begins to watch.
    pub fn start(files: &[PathBuf]) -> Result<Self, String> {
        let touched = Arc::new(Notify::new());
        let names: BTreeSet<OsString> = files.iter().filter_map(|file| file.file_name()).map(OsString::from).collect();
        let bell = touched.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // What cannot be told apart is looked at.
            if event.map_or(true, |event| concerns(&event, &names)) {
                bell.notify_one();
            }
        })
        .map_err(|error| error.to_string())?;
        let folders: BTreeSet<&Path> = files.iter().map(|file| folder(file)).collect();
        for folder in folders {
            let failed = |error: notify::Error| format!("{}: {error}", folder.display());
            watcher.watch(folder, RecursiveMode::NonRecursive).map_err(failed)?;
        }
        let files = files.to_vec();
        Ok(Self { seen: contents(&files), files, touched, _watcher: watcher })
    }

    /// Waits until the content of a file is another, and until nothing was written for the settling time: a file that is
    /// half written is not looked at.
    pub async fn changed(&mut self, settle: Duration) {
        loop {
            self.touched.notified().await;
            for _ in 0..MOST_SETTLING {
                if tokio::time::timeout(settle, self.touched.notified()).await.is_err() {
                    break;
                }
            }
            let now = contents(&self.files);
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

/// Whether an event may be about one of the files. A name that begins with two dots is how orchestrators swap the folder
/// that a link leads to.
fn concerns(event: &Event, names: &BTreeSet<OsString>) -> bool {
    let is_change = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    let is_one = |path: &PathBuf| {
        let name = path.file_name();
        name.is_some_and(|name| names.contains(name) || name.as_encoded_bytes().starts_with(b".."))
    };
    is_change && event.paths.iter().any(is_one)
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn contents(files: &[PathBuf]) -> Vec<Option<Vec<u8>>> {
    files.iter().map(|file| std::fs::read(file).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_told_once_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.toml");
        std::fs::write(&file, "a").unwrap();
        let mut watch = FileWatch::start(std::slice::from_ref(&file)).unwrap();
        let settle = Duration::from_millis(20);

        std::fs::write(folder.path().join("two.toml"), "x").unwrap();
        std::fs::write(&file, "a").unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(200), watch.changed(settle)).await.is_err());

        std::fs::write(&file, "b").unwrap();
        std::fs::write(&file, "c").unwrap();
        tokio::time::timeout(Duration::from_secs(5), watch.changed(settle)).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(200), watch.changed(settle)).await.is_err());

        // As editors do it.
        std::fs::write(folder.path().join("new"), "d").unwrap();
        std::fs::rename(folder.path().join("new"), &file).unwrap();
        tokio::time::timeout(Duration::from_secs(5), watch.changed(settle)).await.unwrap();
    }
}
