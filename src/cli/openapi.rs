//! `vestibule openapi`: the OpenAPI document, without a running server.

use clap::Args;

use super::{failure::Failure, roles::RoleArguments, session::Session};
use crate::bootstrap;

/// Whose document.
#[derive(Debug, Args)]
pub(super) struct OpenApi {
    #[command(flatten)]
    roles: RoleArguments,
}

impl OpenApi {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let roles = self.roles.chosen()?;
        let loaded = session.load()?;
        Ok(session.output.result(bootstrap::openapi(&roles, &loaded.config))?)
    }
}
