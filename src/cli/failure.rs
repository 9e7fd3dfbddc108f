//! Why a command failed, and the exit code that says so.

use std::{io, process::ExitCode};

use super::output::Output;
use crate::config::Fault;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command was used wrongly: exit code 2.
    Usage(String),
    /// The configuration cannot be used: exit code 2.
    Configuration(Vec<Fault>),
    /// It could not be done: exit code 1.
    Failed(String),
    /// The result could not be written.
    Output(io::Error),
}

impl Failure {
    /// Tells it on the stream for messages.
    pub(super) fn report(self, output: &mut Output) -> ExitCode {
        match self {
            Self::Usage(message) => {
                output.message(format_args!("error: {message}"));
                ExitCode::from(2)
            }
            Self::Configuration(faults) => {
                for fault in &faults {
                    output.message(fault);
                }
                let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
                output.message(format_args!("error: {count} in the configuration"));
                ExitCode::from(2)
            }
            Self::Failed(message) => {
                output.message(format_args!("error: {message}"));
                ExitCode::FAILURE
            }
            // Whoever reads has seen enough, as in `vestibule config schema | head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Output(error) => {
                output.message(format_args!("error: the result cannot be written: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
