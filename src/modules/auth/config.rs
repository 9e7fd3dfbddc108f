//! `[auth]`: accounts, tokens, passwords.

use serde::{Deserialize, Serialize};

use crate::{
    kernel::units::{ByteSize, Span},
    platform::tokens::SigningAlgorithm,
};

/// `[auth]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// The issuer of tokens and of the links in mails: the URL of the front door.
    pub issuer: String,
    /// Whether a user must verify the e-mail address before the first login.
    pub require_verified_email: bool,
    /// Who may register.
    pub registration: Registration,
    /// `[auth.tokens]`.
    pub tokens: TokensConfig,
    /// `[auth.password]`.
    pub password: PasswordConfig,
    /// `[auth.lockout]`.
    pub lockout: LockoutConfig,
    /// `[auth.database]`: a database of its own; absent: `[database]`.
    pub database: Option<crate::config::DatabaseConfig>,
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Everybody.
    Open,
    /// Nobody; accounts are made by administrators.
    Closed,
}

/// `[auth.tokens]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokensConfig {
    /// What tokens are signed with.
    pub algorithm: SigningAlgorithm,
    /// The shared secret of HS256; at least 32 bytes.
    pub secret: Option<String>,
    /// Who the tokens are for.
    pub audience: String,
    /// How long an access token works.
    pub access_ttl: Span,
    /// How long a refresh token works.
    pub refresh_ttl: Span,
    /// For how long a spent refresh token answers with the token it already gave.
    pub refresh_reuse_leeway: Span,
    /// How old the knowledge of revocations may be before no token is accepted.
    pub revocation_max_staleness: Span,
}

/// `[auth.password]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordConfig {
    /// What new hashes are written with; both are verified.
    pub algorithm: PasswordAlgorithm,
    /// The fewest characters.
    pub min_length: usize,
    /// The cost of argon2id.
    pub argon2: Argon2Config,
    /// The cost of bcrypt.
    pub bcrypt_cost: u32,
    /// Hashes computed at the same time; 0: one a core.
    pub hashing_threads: usize,
    /// Hashes that may wait for a thread; more are answered with 503.
    pub hashing_queue: usize,
    /// How long a hash may wait for a thread before it is answered with 503.
    pub hashing_timeout: Span,
}

/// What password hashes are written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PasswordAlgorithm {
    /// RFC 9106.
    Argon2id,
    /// bcrypt, never truncating.
    Bcrypt,
}

/// `auth.password.argon2`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Argon2Config {
    /// Memory a hash fills.
    pub memory: ByteSize,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

/// `[auth.lockout]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockoutConfig {
    /// Failed attempts in the window that lock an account.
    pub failures: u32,
    /// The window.
    pub window: Span,
    /// How long it stays locked.
    pub cooldown: Span,
}
