//! `vestibule user`: administration of accounts, beside a running server or before there is one.

mod import;

use std::io::{self, IsTerminal as _, Read as _};

use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde_json::{Value as Json, json};

use super::{
    failure::Failure,
    list::{self, FormatArguments},
    session::{Session, block_on, start_failure},
};
use crate::{
    bootstrap::{self, RoleSet},
    kernel::{ErrorKind, PageRequest, Role},
    modules::auth::api::{AuthError, CreateUser, UserAdministration, UserView},
};

/// A password is not longer than this, in bytes.
const LONGEST_PASSWORD: u64 = 64 * 1024;

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Creates a user
    #[command(
        after_help = "Example:\n  vestibule user create ada@example.com --role admin --password-stdin < password.txt"
    )]
    Create(Create),
    /// Takes over users of another system, with the hashes of their passwords
    #[command(after_help = import::HELP)]
    Import(import::Import),
    /// Lists every user, oldest first
    #[command(after_help = "Example:\n  vestibule user list --format json")]
    List(FormatArguments),
    /// Shows one user
    #[command(after_help = "Example:\n  vestibule user show ada@example.com")]
    Show {
        /// The user's id or address
        user: String,
        #[command(flatten)]
        format: FormatArguments,
    },
}

/// The user to make.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The address
    email: String,
    /// The password. Other users of this machine can see it while the command runs
    #[arg(long, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Reads the password from standard input, without its last line end
    #[arg(long)]
    password_stdin: bool,
    /// A role of the user; may be given again; without it: `user`
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<String>,
    /// The name to show
    #[arg(long)]
    display_name: Option<String>,
    /// The address does not count as verified
    #[arg(long)]
    unverified: bool,
    #[command(flatten)]
    format: FormatArguments,
}

impl UserCommand {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        RoleSet::choose(&[Role::Auth]).map_err(Failure::Usage)?;
        if let Self::Import(import) = self {
            return import.run(session);
        }
        let loaded = session.load()?;
        let password = match self {
            Self::Create(create) => Some(create.read_password(session)?),
            _ => None,
        };
        let shown = block_on(async {
            let users =
                bootstrap::administration(&loaded.config).await.map_err(|error| start_failure(&loaded, error))?.users;
            match (self, password) {
                (Self::Create(create), Some(password)) => {
                    let user = users.create_user(create.command(password)).await.map_err(refused)?;
                    Ok(list::one(&view(&user), create.format.format))
                }
                (Self::Show { user, format }, _) => {
                    let user = users.show_user(user).await.map_err(refused)?;
                    Ok(list::one(&view(&user), format.format))
                }
                (Self::List(format), _) => {
                    let users = all(&*users).await.map_err(refused)?;
                    let columns = ["id", "email", "email_verified", "status", "roles", "created_at"];
                    Ok(list::many(&users, &columns, format.format))
                }
                (Self::Create(_) | Self::Import(_), _) => Err(Failure::Usage("a password is needed".to_owned())),
            }
        })?;
        Ok(session.output.result(shown?)?)
    }
}

impl Create {
    fn command(&self, password: SecretString) -> CreateUser {
        CreateUser {
            email: self.email.clone(),
            password,
            display_name: self.display_name.clone(),
            roles: self.roles.clone(),
            verified: !self.unverified,
        }
    }

    /// From the flag, standard input, or a question; in this order.
    fn read_password(&self, session: &mut Session) -> Result<SecretString, Failure> {
        if let Some(password) = &self.password {
            return Ok(password.clone().into());
        }
        let unreadable = |error: io::Error| Failure::Failed(format!("the password cannot be read: {error}"));
        let mut text = String::new();
        if self.password_stdin {
            io::stdin().take(LONGEST_PASSWORD).read_to_string(&mut text).map_err(unreadable)?;
        } else if io::stdin().is_terminal() {
            session.output.message(format_args!("password for {} (not shown):", self.email));
            text = rpassword::read_password().map_err(unreadable)?;
        } else {
            return Err(Failure::Usage("a password is needed: give --password or --password-stdin".to_owned()));
        }
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(line.strip_suffix('\r').unwrap_or(line).into())
    }
}

async fn all(users: &dyn UserAdministration) -> Result<Vec<Json>, AuthError> {
    let mut found = Vec::new();
    let mut page = PageRequest { limit: PageRequest::MAX, cursor: None };
    loop {
        let next = users.list_users(page.clone()).await?;
        found.extend(next.items.iter().map(view));
        match next.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(found),
        }
    }
}

/// As in the HTTP answers.
fn view(user: &UserView) -> Json {
    json!({
        "id": user.id,
        "email": user.email,
        "email_verified": user.email_verified,
        "display_name": user.display_name,
        "status": user.status,
        "roles": user.roles,
        "mfa_enabled": user.mfa_enabled,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    })
}

/// What the user typed is wrong usage; everything else is a failure.
fn refused(error: AuthError) -> Failure {
    match error.kind {
        ErrorKind::Invalid | ErrorKind::Malformed => Failure::Usage(error.detail),
        _ => Failure::Failed(error.detail),
    }
}
