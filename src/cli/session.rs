//! What every command is given.

use std::{collections::BTreeMap, path::PathBuf};

use super::{failure::Failure, output::Output};
use crate::{
    bootstrap,
    config::{self, Loaded, Override, Sources},
    kernel::settings::StartError,
};

/// The surroundings of a command.
pub(super) struct Session {
    /// `--config`, in order.
    pub(super) files: Vec<PathBuf>,
    /// The environment.
    pub(super) environment: BTreeMap<String, String>,
    /// Where to write.
    pub(super) output: Output,
}

impl Session {
    /// Loads the configuration, and tells what in it has no effect.
    pub(super) fn load(&mut self) -> Result<Loaded, Failure> {
        self.load_with(Vec::new())
    }

    /// Loads the configuration with settings from flags on top.
    pub(super) fn load_with(&mut self, overrides: Vec<Override>) -> Result<Loaded, Failure> {
        let sources = Sources { files: self.files.clone(), environment: self.environment.clone(), overrides };
        let loaded = config::load_checked(&sources, bootstrap::check).map_err(Failure::Configuration)?;
        for warning in loaded.warnings() {
            self.output.message(format_args!("warning: {warning}"));
        }
        Ok(loaded)
    }
}

/// What keeps a role from starting, with the places of its settings.
pub(super) fn start_failure(loaded: &Loaded, error: StartError) -> Failure {
    match error {
        StartError::Settings(faults) => Failure::Configuration(loaded.locate(faults)),
        StartError::Failed(message) => Failure::Failed(message),
    }
}

/// Runs to the end what waits for a database or a network.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start the runtime: {error}")))?;
    Ok(runtime.block_on(work))
}
