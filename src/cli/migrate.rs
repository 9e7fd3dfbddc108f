//! `vestibule migrate`: the database's schema. `serve` applies what is missing by itself; this is for doing it beforehand.

use clap::{Args, Subcommand};
use serde_json::Value as Json;

use super::{
    failure::Failure,
    list::{self, FormatArguments},
    roles::RoleArguments,
    session::{Session, block_on, start_failure},
};
use crate::bootstrap;

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Applies every migration that is missing
    #[command(after_help = "Example:\n  vestibule migrate up --config vestibule.toml")]
    Up(RoleArguments),
    /// Takes back the newest migration of each role
    #[command(after_help = "Example:\n  vestibule migrate down --role auth")]
    Down(RoleArguments),
    /// Lists the migrations and whether they are applied
    #[command(after_help = "Example:\n  vestibule migrate status --format json")]
    Status(Status),
}

/// What to list.
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    roles: RoleArguments,
    #[command(flatten)]
    format: FormatArguments,
}

impl MigrateCommand {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let loaded = session.load()?;
        let (Self::Up(roles) | Self::Down(roles) | Self::Status(Status { roles, .. })) = self;
        let (config, roles) = (&loaded.config, roles.chosen()?);
        let text = block_on(async {
            match self {
                Self::Up(_) => {
                    bootstrap::migrate_up(config, &roles).await.map(|()| "every migration is applied".to_owned())
                }
                Self::Down(_) => bootstrap::migrate_down(config, &roles)
                    .await
                    .map(|()| "the newest migration is taken back".to_owned()),
                Self::Status(Status { format, .. }) => bootstrap::migrations(config, &roles).await.map(|migrations| {
                    let items: Vec<Json> =
                        migrations.iter().filter_map(|item| serde_json::to_value(item).ok()).collect();
                    list::many(&items, &["role", "migration", "applied"], format.format)
                }),
            }
        })?;
        Ok(session.output.result(text.map_err(|error| start_failure(&loaded, error))?)?)
    }
}
