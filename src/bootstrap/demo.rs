//! `vestibule demo`: everything in one process on throwaway data, with two sample backends and a tour to follow.

mod backends;
mod tour;

use std::{io, path::PathBuf};

use tempfile::TempDir;

use crate::kernel::StartError;

/// The demo's surroundings: sample backends that run, and a configuration that leads to them. Dropping it removes the data.
pub struct Demo {
    directory: TempDir,
    backends: backends::Backends,
    port: u16,
}

impl Demo {
    /// Starts the backends and writes the configuration for a front door on `port`.
    pub fn prepare(port: u16) -> Result<Self, StartError> {
        let failed = |error: io::Error| StartError::Failed(format!("the demo cannot be prepared: {error}"));
        let directory = tempfile::Builder::new().prefix("vestibule-demo-").tempdir().map_err(failed)?;
        let backends = backends::Backends::start().map_err(failed)?;
        let demo = Self { directory, backends, port };
        std::fs::write(demo.config_file(), demo.config()).map_err(failed)?;
        Ok(demo)
    }

    /// The configuration, as a file that can be read and changed.
    pub fn config_file(&self) -> PathBuf {
        self.directory.path().join("demo.toml")
    }

    /// What to try, as text for a terminal.
    pub fn tour(&self) -> String {
        tour::text(self.port, &self.config_file(), &self.backends)
    }

    fn config(&self) -> String {
        let directory = self.directory.path().display();
        include_str!("demo/demo.toml")
            .replace("{port}", &self.port.to_string())
            .replace("{directory}", &directory.to_string())
            .replace("{catalog}", &self.backends.catalog)
            .replace("{customers}", &self.backends.customers)
    }
}
