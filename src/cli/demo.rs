//! `vestibule demo`.

use clap::Args;

use super::{
    failure::Failure,
    session::{Session, start_failure},
};
use crate::bootstrap::{self, RoleSet, demo::Demo};

/// Everything in one process on throwaway data, with sample backends and a tour to follow.
#[derive(Debug, Args)]
pub(super) struct DemoCommand {
    /// The port of the front door
    #[arg(long, value_name = "P", default_value_t = 8000)]
    port: u16,
}

impl DemoCommand {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let roles = RoleSet::choose(&[]).map_err(Failure::Usage)?;
        let demo = Demo::prepare(self.port).map_err(|error| Failure::Failed(error.to_string()))?;
        session.files.insert(0, demo.config_file());
        let loaded = session.load()?;
        let output = &mut session.output;
        // A tour that cannot be shown is no reason to end a server that runs.
        bootstrap::serve(&loaded, &roles, |_| drop(output.result(demo.tour())))
            .map_err(|error| start_failure(&loaded, error))
    }
}
