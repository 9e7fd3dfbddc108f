//! What other modules, and the command line, may ask of `auth`.

mod import;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::kernel::{ErrorKind, Page, PageRequest, Principal, SessionId, UserId};

pub use import::{ImportMode, ImportReport, ImportedUser, UserImport};

/// The path prefixes that `auth` answers at the front door.
pub const FRONT_DOOR: &[&str] = &["/auth", "/oauth", "/.well-known", "/users", "/roles", "/clients", "/audit"];

/// What verifiers need: which keys sign, which sessions ended early, and whom an API key stands for. Local or remote.
#[async_trait]
pub trait AuthApi: Send + Sync {
    /// The public keys as a JWK Set (RFC 7517), as text.
    async fn verification_keys(&self) -> Result<String, AuthError>;

    /// The sessions revoked since `after`, oldest first; `None`: every one whose tokens may still be valid. The answer's
    /// cursor is to be given the next time. MUST NOT skip a revocation that commits late: cursors overlap, repeats are fine.
    /// Where nothing happened here since `after`, the answer waits for the next revocation, at most for `wait`.
    async fn revocations(&self, after: Option<String>, wait: Duration) -> Result<Revocations, AuthError>;

    /// Whom the API key with this digest (SHA-256 in lower-case hexadecimal) stands for now; `None` when it is unknown, has
    /// expired or was revoked, or its owner may not log in. Its id is the principal's session: when it stops working, that
    /// is among the revocations for a minute, so that an answer MUST NOT be remembered for longer, nor past that.
    async fn api_key(&self, digest: &str) -> Result<Option<Principal>, AuthError>;
}

/// A stretch of the revocation feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    /// Sessions, each with the time its last access token expires; and API keys that stopped working.
    pub sessions: Vec<(SessionId, DateTime<Utc>)>,
    /// Where to go on.
    pub cursor: String,
    /// Which verification keys there are now: another text means other keys. Empty from an `auth` that does not say.
    pub keys: String,
}

/// What operators do from the command line.
#[derive(Clone)]
pub struct Administration {
    /// Accounts.
    pub users: Arc<dyn UserAdministration>,
    /// Users of other systems.
    pub import: Arc<dyn UserImport>,
    /// The keys that tokens are signed with.
    pub keys: Arc<dyn KeyAdministration>,
    /// OAuth clients.
    pub clients: Arc<dyn ClientAdministration>,
}

/// Administration of signing keys from the command line. A running server learns of it within two seconds.
#[async_trait]
pub trait KeyAdministration: Send + Sync {
    /// Every key there ever was, oldest first.
    async fn list_keys(&self) -> Result<Vec<KeyView>, AuthError>;
    /// Publishes a new key, which signs once everybody had the time to learn it. `Conflict` while another one waits for
    /// that, and where tokens are signed with a shared secret.
    async fn rotate_keys(&self) -> Result<KeyView, AuthError>;
    /// Retires a key at once: what it signed is refused. `NotFound` when there is no such key, or no longer.
    async fn retire_key(&self, kid: &str) -> Result<(), AuthError>;
}

/// A signing key as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// The id.
    pub kid: String,
    /// `ES256`, `RS256` or `EdDSA`.
    pub algorithm: String,
    /// `published`, `signing`, `verifying` or `retired`.
    pub state: &'static str,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it begins to sign, or began.
    pub signs_from: DateTime<Utc>,
    /// When it was retired, or will be once its last token has expired.
    pub retires_at: Option<DateTime<Utc>>,
}

/// Administration of users from the command line.
#[async_trait]
pub trait UserAdministration: Send + Sync {
    /// Creates a user. `Conflict` when the address is taken, `Invalid` with faults when a value is not acceptable.
    async fn create_user(&self, command: CreateUser) -> Result<UserView, AuthError>;
    /// Users by creation, oldest first.
    async fn list_users(&self, page: PageRequest) -> Result<Page<UserView>, AuthError>;
    /// One user, by id or address. `NotFound` when there is none.
    async fn show_user(&self, id_or_email: &str) -> Result<UserView, AuthError>;
    /// Stops an account: its sessions and tokens end at once.
    async fn suspend_user(&self, id_or_email: &str) -> Result<UserView, AuthError>;
    /// Lets an account be used again, or for the first time.
    async fn activate_user(&self, id_or_email: &str) -> Result<UserView, AuthError>;
    /// Gives a user these roles and no others; none: `user`.
    async fn set_user_roles(&self, id_or_email: &str, roles: Vec<String>) -> Result<UserView, AuthError>;
    /// Sets a password, and ends every session of the user.
    async fn set_user_password(&self, id_or_email: &str, password: secrecy::SecretString) -> Result<(), AuthError>;
    /// A link by which its bearer sets the password, once.
    async fn password_reset_link(&self, id_or_email: &str) -> Result<String, AuthError>;
    /// Takes the second factor and the passkeys off, and ends every session of the user.
    async fn remove_user_factors(&self, id_or_email: &str) -> Result<UserView, AuthError>;
    /// Deletes an account; its address is free again.
    async fn delete_user(&self, id_or_email: &str) -> Result<(), AuthError>;
}

/// Administration of OAuth clients from the command line.
#[async_trait]
pub trait ClientAdministration: Send + Sync {
    /// Registers a client. `Invalid` when it cannot be one.
    async fn create_client(&self, command: CreateClient) -> Result<CreatedClient, AuthError>;
    /// Clients by creation, oldest first.
    async fn list_clients(&self, page: PageRequest) -> Result<Page<ClientView>, AuthError>;
    /// Gives a client a new secret; the one before works on for `overlap`. `NotFound` when there is no such client,
    /// `Conflict` when it has no secret.
    async fn rotate_secret(&self, id: &str, overlap: Duration) -> Result<CreatedClient, AuthError>;
    /// Removes a client; its tokens stop working. `NotFound` when there is no such client.
    async fn delete_client(&self, id: &str) -> Result<(), AuthError>;
}

/// A client to be registered.
#[derive(Debug, Clone, Default)]
pub struct CreateClient {
    /// The name that users are shown.
    pub name: String,
    /// Whether it cannot keep a secret.
    pub public: bool,
    /// Where browsers are sent back to.
    pub redirect_uris: Vec<String>,
    /// Where browsers may go after a logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// How it gets tokens; empty: what goes with the rest.
    pub grants: Vec<String>,
    /// What it may ask for; empty: what goes with the grants.
    pub scopes: Vec<String>,
    /// Its public keys, a JWK Set, when it signs instead of sending a secret.
    pub jwks: Option<String>,
    /// Whether its authorization requests have to be pushed (RFC 9126 §6).
    pub require_pushed_requests: bool,
}

/// A client, and its new secret when it has one.
#[derive(Debug, Clone)]
pub struct CreatedClient {
    /// The client.
    pub client: ClientView,
    /// The secret: shown once, and never kept.
    pub secret: Option<secrecy::SecretString>,
}

/// An OAuth client as others see it, by the names of RFC 7591 §2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientView {
    /// The id.
    pub client_id: String,
    /// The name that users are shown.
    pub client_name: String,
    /// `none`, `client_secret_basic` or `private_key_jwt`.
    pub token_endpoint_auth_method: &'static str,
    /// Where browsers are sent back to.
    pub redirect_uris: Vec<String>,
    /// Where browsers may go after a logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// How it gets tokens.
    pub grant_types: Vec<&'static str>,
    /// What it may ask for, separated by spaces.
    pub scope: String,
    /// Its public keys.
    pub jwks: Option<serde_json::Value>,
    /// Whether its authorization requests have to be pushed (RFC 9126 §6).
    pub require_pushed_authorization_requests: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A user to be made by an administrator.
#[derive(Debug, Clone)]
pub struct CreateUser {
    /// The address.
    pub email: String,
    /// The password; never printed.
    pub password: secrecy::SecretString,
    /// The name to show.
    pub display_name: Option<String>,
    /// Role names; empty: `user`.
    pub roles: Vec<String>,
    /// Whether the address counts as verified.
    pub verified: bool,
}

/// A user as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// The id.
    pub id: UserId,
    /// The address.
    pub email: String,
    /// Whether it was verified.
    pub email_verified: bool,
    /// The name to show.
    pub display_name: Option<String>,
    /// `pending`, `active`, `suspended` or `deleted`.
    pub status: &'static str,
    /// Role names.
    pub roles: Vec<String>,
    /// Whether a second factor is on.
    pub mfa_enabled: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Why a call of `auth` failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct AuthError {
    /// The kind, which decides the status.
    pub kind: ErrorKind,
    /// What happened, for people; without secrets.
    pub detail: String,
}
