//! `vestibule key`: the keys that tokens are signed with, beside a running server or before there is one.

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use super::{
    failure::Failure,
    list::{self, FormatArguments},
    session::{Session, block_on, start_failure},
};
use crate::{
    bootstrap::{self, RoleSet},
    kernel::Role,
    modules::auth::api::KeyView,
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Lists every key: published, signing, verifying or retired
    #[command(after_help = "Example:\n  vestibule key list --format json")]
    List(FormatArguments),
    /// Publishes a new key, which signs once everybody knows it; the one before verifies until its last token has expired
    #[command(after_help = "Example:\n  vestibule key rotate")]
    Rotate(FormatArguments),
    /// Retires a key at once: whoever holds a token of it has to log in again
    #[command(after_help = "Example:\n  vestibule key retire 3q2-7wAAx0Yk --yes")]
    Retire(Retire),
}

/// The key to retire.
#[derive(Debug, Args)]
pub(super) struct Retire {
    /// The key's id, as `key list` shows it
    // It is base64url, so one in 64 begins with a hyphen.
    #[arg(allow_hyphen_values = true)]
    kid: String,
    /// Does it without asking back
    #[arg(long)]
    yes: bool,
}

impl KeyCommand {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        RoleSet::choose(&[Role::Auth]).map_err(Failure::Usage)?;
        if let Self::Retire(Retire { kid, yes: false }) = self {
            let detail = format!("every token that {kid} signed stops working; repeat the command with --yes");
            return Err(Failure::Usage(detail));
        }
        let loaded = session.load()?;
        let shown = block_on(async {
            let keys =
                bootstrap::administration(&loaded.config).await.map_err(|error| start_failure(&loaded, error))?.keys;
            let failed = |error: crate::modules::auth::api::AuthError| Failure::Failed(error.detail);
            match self {
                Self::List(format) => {
                    let keys: Vec<_> = keys.list_keys().await.map_err(failed)?.iter().map(view).collect();
                    let columns = ["kid", "algorithm", "state", "created_at", "signs_from", "retires_at"];
                    Ok::<_, Failure>(Some(list::many(&keys, &columns, format.format)))
                }
                Self::Rotate(format) => {
                    Ok(Some(list::one(&view(&keys.rotate_keys().await.map_err(failed)?), format.format)))
                }
                Self::Retire(Retire { kid, .. }) => {
                    keys.retire_key(kid).await.map_err(failed)?;
                    Ok(None)
                }
            }
        })??;
        match shown {
            Some(shown) => Ok(session.output.result(shown)?),
            None => Ok(()),
        }
    }
}

fn view(key: &KeyView) -> Json {
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state,
        "created_at": key.created_at,
        "signs_from": key.signs_from,
        "retires_at": key.retires_at,
    })
}
