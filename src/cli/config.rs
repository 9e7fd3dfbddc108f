//! `vestibule config`: looks at the configuration without starting anything.

use clap::Subcommand;

use super::{failure::Failure, session::Session};
use crate::config;

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Tells every fault, with file, line, key and what was expected
    #[command(after_help = "Example:\n  vestibule config check --config vestibule.toml")]
    Check,
    /// Shows the configuration in effect as TOML, with secrets masked
    #[command(after_help = "Example:\n  VESTIBULE__SERVER__PORT=9000 vestibule config show --config vestibule.toml")]
    Show,
    /// Prints the JSON Schema, for editors
    #[command(after_help = "Example:\n  vestibule config schema > vestibule.schema.json")]
    Schema,
}

impl ConfigCommand {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let text = match self {
            Self::Check => {
                session.load()?;
                "the configuration is good".to_owned()
            }
            Self::Show => toml::to_string(&session.load()?.masked())
                .map_err(|error| Failure::Failed(format!("the configuration cannot be shown: {error}")))?,
            Self::Schema => serde_json::to_string_pretty(&config::schema())
                .map_err(|error| Failure::Failed(format!("the schema cannot be shown: {error}")))?,
        };
        Ok(session.output.result(text.trim_end())?)
    }
}
