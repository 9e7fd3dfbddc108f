//! `vestibule user`: administration of accounts, beside a running server or before there is one.

mod import;
mod password;

use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde_json::{Value as Json, json};

use self::password::PasswordArguments;
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
    /// Stops an account: no login; its sessions and access tokens end at once
    #[command(after_help = "Example:\n  vestibule user suspend ada@example.com")]
    Suspend {
        /// The user's id or address
        user: String,
        #[command(flatten)]
        format: FormatArguments,
    },
    /// Lets a suspended user log in again, or a new one without a verified address
    #[command(after_help = "Example:\n  vestibule user activate ada@example.com")]
    Activate {
        /// The user's id or address
        user: String,
        #[command(flatten)]
        format: FormatArguments,
    },
    /// Gives a user these roles and no others; they show in the user's next token
    #[command(after_help = "Example:\n  vestibule user set-roles ada@example.com user admin")]
    SetRoles(SetRoles),
    /// Sets a password and ends every session; without one, prints a link by which the user sets it
    #[command(
        after_help = "Examples:\n  vestibule user reset-password ada@example.com\n  vestibule user reset-password ada@example.com --password-stdin < password.txt"
    )]
    ResetPassword(ResetPassword),
    /// Takes the second factor and the passkeys off an account whose owner lost them, and ends every session
    #[command(after_help = "Example:\n  vestibule user reset-mfa ada@example.com --yes")]
    ResetMfa(ResetMfa),
    /// Deletes an account; its sessions and access tokens end at once, its address is free again
    #[command(after_help = "Example:\n  vestibule user delete ada@example.com")]
    Delete {
        /// The user's id or address
        user: String,
        #[command(flatten)]
        format: FormatArguments,
    },
}

/// The roles to give.
#[derive(Debug, Args)]
pub(super) struct SetRoles {
    /// The user's id or address
    user: String,
    /// A role; may be given again
    #[arg(value_name = "ROLE", required_unless_present = "role")]
    roles: Vec<String>,
    /// The same as a flag
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    role: Vec<String>,
    #[command(flatten)]
    format: FormatArguments,
}

/// The password to set.
#[derive(Debug, Args)]
pub(super) struct ResetPassword {
    /// The user's id or address
    user: String,
    #[command(flatten)]
    password: PasswordArguments,
    #[command(flatten)]
    format: FormatArguments,
}

/// Whose second factor.
#[derive(Debug, Args)]
pub(super) struct ResetMfa {
    /// The user's id or address
    user: String,
    /// The user is who it says: from now on the password alone is enough
    #[arg(long, required = true)]
    yes: bool,
    #[command(flatten)]
    format: FormatArguments,
}

/// The user to make.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The address
    email: String,
    #[command(flatten)]
    password: PasswordArguments,
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
        // Before the database is opened: typing takes its time.
        let password = match self {
            Self::Create(create) => Some(create.password.given_or_asked(session, &create.email)?),
            Self::ResetPassword(reset) => reset.password.given()?,
            _ => None,
        };
        let shown = block_on(async {
            let administration = bootstrap::administration(&loaded.config).await;
            let users = administration.map_err(|error| start_failure(&loaded, error))?.users;
            self.act(&*users, password).await
        })?;
        Ok(session.output.result(shown?)?)
    }
}

impl UserCommand {
    async fn act(&self, users: &dyn UserAdministration, password: Option<SecretString>) -> Result<String, Failure> {
        let (done, format) = match self {
            Self::List(format) => {
                let found = all(users).await.map_err(refused)?;
                let columns = ["id", "email", "email_verified", "status", "roles", "created_at"];
                return Ok(list::many(&found, &columns, format.format));
            }
            Self::ResetPassword(reset) => (reset.run(users, password).await, reset.format),
            Self::Delete { user, format } => (delete(users, user).await, *format),
            Self::Create(create) => {
                let password = password.ok_or_else(|| Failure::Usage("a password is needed".to_owned()))?;
                (users.create_user(create.command(password)).await.map(|user| view(&user)), create.format)
            }
            Self::Import(_) => return Err(Failure::Usage("an import has a way of its own".to_owned())),
            Self::Show { user, format } => (users.show_user(user).await.map(|user| view(&user)), *format),
            Self::Suspend { user, format } => (users.suspend_user(user).await.map(|user| view(&user)), *format),
            Self::Activate { user, format } => (users.activate_user(user).await.map(|user| view(&user)), *format),
            Self::ResetMfa(reset) => {
                let removed = users.remove_user_factors(&reset.user).await;
                (removed.map(|user| view(&user)), reset.format)
            }
            Self::SetRoles(given) => {
                let roles = [given.roles.as_slice(), &given.role].concat();
                (users.set_user_roles(&given.user, roles).await.map(|user| view(&user)), given.format)
            }
        };
        Ok(list::one(&done.map_err(refused)?, format.format))
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
}

impl ResetPassword {
    async fn run(&self, users: &dyn UserAdministration, password: Option<SecretString>) -> Result<Json, AuthError> {
        match password {
            Some(password) => {
                users.set_user_password(&self.user, password).await?;
                Ok(view(&users.show_user(&self.user).await?))
            }
            None => Ok(json!({ "reset_link": users.password_reset_link(&self.user).await? })),
        }
    }
}

async fn delete(users: &dyn UserAdministration, user: &str) -> Result<Json, AuthError> {
    let deleted = users.show_user(user).await?;
    users.delete_user(user).await?;
    Ok(json!({"id": deleted.id, "email": deleted.email, "status": "deleted"}))
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
