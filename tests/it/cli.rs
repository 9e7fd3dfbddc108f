//! The command line, as a user types it.

mod aggregation;
mod clients;
mod configuration;
mod demo;
mod graphql;
mod recipes;
mod users;
mod various;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::support::command;

/// What a command left.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    #[track_caller]
    fn must_exit(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs the binary in a directory.
fn run(directory: &Path, arguments: &[&str]) -> Ran {
    run_with(directory, arguments, &[], "")
}

/// The same with environment variables and standard input.
fn run_with(directory: &Path, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Ran {
    let mut command: Command = command(directory);
    command.args(arguments).envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}
