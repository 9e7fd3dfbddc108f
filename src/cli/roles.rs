//! `--role`, which takes roles one by one or as a comma list.

use clap::Args;

use super::failure::Failure;
use crate::{bootstrap::RoleSet, kernel::Role};

/// The roles that were asked for.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct RoleArguments {
    /// Roles, separated by commas; without it: all that are compiled in
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', value_parser = read)]
    pub(super) roles: Vec<Role>,
}

fn read(text: &str) -> Result<Role, String> {
    text.parse().map_err(|error| format!("{error}"))
}

impl RoleArguments {
    /// The roles, all of them compiled in.
    pub(super) fn chosen(&self) -> Result<RoleSet, Failure> {
        RoleSet::choose(&self.roles).map_err(Failure::Usage)
    }
}
