//! `vestibule transform`: rules over JSON, as `/data/transform` applies them, without a server.

use std::{
    io::{self, BufWriter, Read as _},
    path::PathBuf,
};

use clap::Args;

use super::{failure::Failure, session::Session};
use crate::{bootstrap, modules::aggregation::api::TransformFault};

/// What to apply.
#[derive(Debug, Args)]
pub(super) struct TransformCommand {
    /// A file with the rules, a JSON array
    #[arg(value_name = "RULES")]
    rules: PathBuf,
    /// The data is one JSON value a line, and so is the result; for any amount, with rules that look at one line at a time
    #[arg(long)]
    ndjson: bool,
}

impl TransformCommand {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let rules = std::fs::read_to_string(&self.rules)
            .map_err(|fault| Failure::Usage(format!("{} cannot be read: {fault}", self.rules.display())))?;
        let told = |fault| self.told(fault);
        if self.ndjson {
            let mut output = BufWriter::new(session.output.results());
            return bootstrap::transform_lines(&rules, &mut io::stdin().lock(), &mut output).map_err(told);
        }
        let mut data = Vec::new();
        io::stdin().lock().read_to_end(&mut data).map_err(|fault| told(TransformFault::Input(fault)))?;
        Ok(session.output.result(bootstrap::transform(&rules, data).map_err(told)?)?)
    }

    fn told(&self, fault: TransformFault) -> Failure {
        match fault {
            TransformFault::Rules(faults) => {
                let file = self.rules.display();
                let told: Vec<_> = faults.iter().map(|fault| format!("{file}: {fault}")).collect();
                Failure::Usage(told.join("\nerror: "))
            }
            TransformFault::Output(fault) => Failure::Output(fault),
            other => Failure::Failed(other.to_string()),
        }
    }
}
