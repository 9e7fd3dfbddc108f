//! `vestibule completions`: completion scripts for shells.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, failure::Failure, session::Session};

/// Which script.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "vestibule", &mut script);
        Ok(session.output.result(String::from_utf8_lossy(&script).trim_end())?)
    }
}
