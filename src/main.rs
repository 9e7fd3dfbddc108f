//! The `vestibule` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    vestibule::cli::run()
}
