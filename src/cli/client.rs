//! `vestibule client`: administration of OAuth clients, beside a running server or before there is one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};

use super::{
    failure::Failure,
    list::{self, FormatArguments},
    session::{Session, block_on, start_failure},
};
use crate::{
    bootstrap::{self, RoleSet},
    kernel::{ErrorKind, PageRequest, Role, units::Span},
    modules::auth::api::{AuthError, ClientAdministration, ClientView, CreateClient, CreatedClient},
};

/// A JWK Set is not longer than this, in bytes.
const LONGEST_JWKS: u64 = 64 * 1024;

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Registers a client; prints its id, and its secret once
    #[command(
        after_help = "Examples:\n  vestibule client create --name Shop --redirect-uri https://shop.example/callback\n  vestibule client create --name Phone --public --redirect-uri com.example.phone:/callback\n  vestibule client create --name Robot --grant client_credentials --scope users:read --format json"
    )]
    Create(Create),
    /// Lists every client, oldest first
    #[command(after_help = "Example:\n  vestibule client list --format json")]
    List(FormatArguments),
    /// Gives a client a new secret; prints it once
    #[command(after_help = "Example:\n  vestibule client rotate-secret 019… --keep-old-for 1h")]
    RotateSecret {
        /// The client's id
        client: String,
        /// How long the secret before works on, at most 30d
        #[arg(long, value_name = "DURATION", default_value = "0s")]
        keep_old_for: Span,
        #[command(flatten)]
        format: FormatArguments,
    },
    /// Removes a client; its tokens stop working
    #[command(after_help = "Example:\n  vestibule client delete 019…")]
    Delete {
        /// The client's id
        client: String,
    },
}

/// The client to register.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The name that users are shown when they are asked
    #[arg(long)]
    name: String,
    /// The client cannot keep a secret: an application in a browser, on a phone, on a desktop
    #[arg(long, conflicts_with = "jwks")]
    public: bool,
    /// Where browsers are sent back to; may be given again
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where browsers may go after a logout; may be given again
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// authorization_code, refresh_token, client_credentials or device_code; may be given again. Without it: the first two
    /// with a redirect URI, else client_credentials
    #[arg(long = "grant", value_name = "GRANT", value_delimiter = ',')]
    grants: Vec<String>,
    /// What it may ask for: openid, profile, email, offline_access, or a permission; may be given again. Without it: the
    /// first three, and offline_access with refresh_token
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// A file with the client's public keys, a JWK Set, when it signs (private_key_jwt) instead of sending a secret
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Its authorization requests have to be pushed (RFC 9126)
    #[arg(long)]
    require_pushed_requests: bool,
    #[command(flatten)]
    format: FormatArguments,
}

impl ClientCommand {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        RoleSet::choose(&[Role::Auth]).map_err(Failure::Usage)?;
        let loaded = session.load()?;
        let wanted = match self {
            Self::Create(create) => create.command()?,
            _ => CreateClient::default(),
        };
        let shown: Result<Option<String>, Failure> = block_on(async {
            let clients = bootstrap::administration(&loaded.config).await;
            let clients = clients.map_err(|error| start_failure(&loaded, error))?.clients;
            match self {
                Self::Create(create) => {
                    let created = clients.create_client(wanted).await.map_err(refused)?;
                    Ok(Some(list::one(&credentials(&created), create.format.format)))
                }
                Self::List(format) => {
                    let found = all(&*clients).await.map_err(refused)?;
                    let columns = [
                        "client_id",
                        "client_name",
                        "token_endpoint_auth_method",
                        "grant_types",
                        "scope",
                        "created_at",
                    ];
                    Ok(Some(list::many(&found, &columns, format.format)))
                }
                Self::RotateSecret { client, keep_old_for, format } => {
                    let rotated = clients.rotate_secret(client, keep_old_for.get()).await.map_err(refused)?;
                    Ok(Some(list::one(&credentials(&rotated), format.format)))
                }
                Self::Delete { client } => {
                    clients.delete_client(client).await.map_err(refused)?;
                    Ok(None)
                }
            }
        })?;
        match shown? {
            Some(text) => Ok(session.output.result(text)?),
            None => Ok(()),
        }
    }
}

impl Create {
    fn command(&self) -> Result<CreateClient, Failure> {
        Ok(CreateClient {
            name: self.name.clone(),
            public: self.public,
            redirect_uris: self.redirect_uris.clone(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.clone(),
            grants: self.grants.clone(),
            scopes: self.scopes.clone(),
            jwks: self.jwks.as_ref().map(read_jwks).transpose()?,
            require_pushed_requests: self.require_pushed_requests,
        })
    }
}

fn read_jwks(path: &PathBuf) -> Result<String, Failure> {
    let wrong = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if length > LONGEST_JWKS {
        return Err(wrong(format!("expected at most {LONGEST_JWKS} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))
}

async fn all(clients: &dyn ClientAdministration) -> Result<Vec<Json>, AuthError> {
    let mut found = Vec::new();
    let mut page = PageRequest { limit: PageRequest::MAX, cursor: None };
    loop {
        let next = clients.list_clients(page.clone()).await?;
        found.extend(next.items.iter().map(view));
        match next.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(found),
        }
    }
}

/// What the client needs to be configured with.
fn credentials(created: &CreatedClient) -> Json {
    let id = &created.client.client_id;
    match &created.secret {
        Some(secret) => json!({ "client_id": id, "client_secret": secret.expose_secret() }),
        None => json!({ "client_id": id }),
    }
}

/// As in the HTTP answers.
fn view(client: &ClientView) -> Json {
    let mut view = json!({
        "client_id": client.client_id,
        "client_name": client.client_name,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "grant_types": client.grant_types,
        "scope": client.scope,
        "require_pushed_authorization_requests": client.require_pushed_authorization_requests,
        "created_at": client.created_at,
        "updated_at": client.updated_at,
    });
    if let Some(jwks) = &client.jwks {
        view["jwks"] = jwks.clone();
    }
    view
}

/// What the user typed is wrong usage; everything else is a failure.
fn refused(error: AuthError) -> Failure {
    match error.kind {
        ErrorKind::Invalid | ErrorKind::Malformed => Failure::Usage(error.detail),
        _ => Failure::Failed(error.detail),
    }
}
