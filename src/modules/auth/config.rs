//! `[auth]`: accounts, tokens, passwords.

mod breach_list;
mod captcha;
mod oauth;
mod pages;
mod passkeys;
mod second_factor;

use serde::{Deserialize, Serialize};

use crate::{
    kernel::{
        SettingFault,
        units::{ByteSize, Span},
    },
    platform::{sealing::Sealer, tokens::SigningAlgorithm},
};

pub use breach_list::BreachListConfig;
pub use captcha::{CaptchaConfig, CaptchaPlace, CaptchaProvider};
pub use oauth::OAuthConfig;
pub use pages::PagesConfig;
pub use passkeys::PasskeysConfig;
pub use second_factor::{MfaConfig, StepUpConfig};

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
    /// `[auth.api_keys]`.
    pub api_keys: ApiKeysConfig,
    /// `[auth.idempotency]`.
    pub idempotency: IdempotencyConfig,
    /// `[auth.mfa]`.
    pub mfa: MfaConfig,
    /// `[auth.passkeys]`.
    pub passkeys: PasskeysConfig,
    /// `[auth.step_up]`.
    pub step_up: StepUpConfig,
    /// 32 random bytes, as base64 or hexadecimal, that secrets in the database are sealed with; absent: in the clear.
    pub master_key: Option<String>,
    /// The master keys before it: what they sealed is read, and sealed again.
    #[serde(default)]
    pub previous_master_keys: Vec<String>,
    /// `[auth.oauth]`.
    pub oauth: OAuthConfig,
    /// `[auth.pages]`.
    pub pages: PagesConfig,
    /// `[auth.captcha]`: a riddle for people; absent: none is asked for.
    pub captcha: Option<CaptchaConfig>,
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
    /// How long a session lasts at most, however often it is refreshed.
    pub session_ttl: Span,
    /// For how long a spent refresh token answers with the token it already gave.
    pub refresh_reuse_leeway: Span,
    /// How long a new key is published before it signs.
    pub key_publish_delay: Span,
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
    /// A list of stolen passwords, which nobody may choose; absent: none is asked.
    pub breach_list: Option<BreachListConfig>,
    /// Hashes computed at the same time; 0: one a core.
    pub hashing_threads: usize,
    /// Hashes that may wait for a thread; more are answered with 503.
    pub hashing_queue: usize,
    /// How long a hash may wait for a thread before it is answered with 503.
    pub hashing_timeout: Span,
    /// With so many hashes waiting, as in a flood of logins, hashing runs only when nothing else wants the processor; 0:
    /// never.
    pub hashing_yield_after: usize,
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
    /// A client address, which many people can share, may fail this many times as often as an account.
    pub client_factor: u32,
}

/// `[auth.api_keys]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeysConfig {
    /// The most keys of one user.
    pub per_user: u32,
    /// How long a key that was revoked, or has expired, is still listed before it is taken away.
    pub kept_for: Span,
}

/// `[auth.idempotency]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdempotencyConfig {
    /// How long an answer is kept for a call that comes again with the same `Idempotency-Key`.
    pub kept_for: Span,
}
/// Verifiers learn of a new key within about two seconds.
const LEAST_PUBLISH_DELAY: Span = Span::secs(5);

/// What is wrong with the section, every fault at once.
pub fn check(config: &AuthConfig) -> Vec<SettingFault> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, key: &str, detail: &str| {
        if !holds {
            faults.push(SettingFault::new(format!("auth.{key}"), detail));
        }
    };
    must(
        is_issuer(&config.issuer),
        "issuer",
        "expected an http or https URL without query, fragment or slash at its end",
    );
    let tokens = &config.tokens;
    must(!tokens.audience.is_empty(), "tokens.audience", "expected a name");
    let needs_secret = tokens.algorithm == SigningAlgorithm::HS256;
    let secret_length = tokens.secret.as_deref().map_or(0, str::len);
    must(
        !needs_secret || secret_length >= 32,
        "tokens.secret",
        "HS256 needs a secret of at least 32 bytes (JWT_SECRET_KEY)",
    );
    let is_whole = |span: Span| span.get().as_secs() > 0 && span.get().subsec_nanos() == 0;
    must(is_whole(tokens.access_ttl), "tokens.access_ttl", "expected whole seconds, at least one");
    must(is_whole(tokens.refresh_ttl), "tokens.refresh_ttl", "expected whole seconds, at least one");
    must(is_whole(tokens.session_ttl), "tokens.session_ttl", "expected whole seconds, at least one");
    must(tokens.key_publish_delay >= LEAST_PUBLISH_DELAY, "tokens.key_publish_delay", "expected at least 5s");
    must(
        !tokens.revocation_max_staleness.get().is_zero(),
        "tokens.revocation_max_staleness",
        "expected more than zero",
    );
    let password = &config.password;
    must((8..=1024).contains(&password.min_length), "password.min_length", "expected 8 to 1024");
    must((4..=18).contains(&password.bcrypt_cost), "password.bcrypt_cost", "expected 4 to 18");
    let argon2 = &password.argon2;
    must((1..=64).contains(&argon2.parallelism), "password.argon2.parallelism", "expected 1 to 64");
    must((1..=64).contains(&argon2.iterations), "password.argon2.iterations", "expected 1 to 64");
    let least = 8 * 1024 * u64::from(argon2.parallelism.min(64));
    must(
        argon2.memory.0 >= least && argon2.memory <= ByteSize::mib(1024),
        "password.argon2.memory",
        "expected at least 8KiB a lane, and at most 1GiB",
    );
    must(
        argon2.memory.0.saturating_mul(argon2.iterations.into()) <= ByteSize::mib(4096).0,
        "password.argon2.iterations",
        "expected at most 4GiB in all passes together",
    );
    must(password.hashing_threads <= 256, "password.hashing_threads", "expected at most 256");
    must((1..=65_536).contains(&password.hashing_queue), "password.hashing_queue", "expected 1 to 65536");
    must(!password.hashing_timeout.get().is_zero(), "password.hashing_timeout", "expected more than zero");
    let breach_list = password.breach_list.iter().flat_map(BreachListConfig::faults);
    for (key, detail) in breach_list.chain(config.captcha.iter().flat_map(CaptchaConfig::faults)) {
        must(false, key, detail);
    }
    for (key, fault) in master_key_faults(config) {
        must(false, &key, fault);
    }
    must(config.api_keys.per_user >= 1, "api_keys.per_user", "expected at least 1");
    // Verifiers have to hear of a revoked key before it is gone.
    must(config.api_keys.kept_for.get().as_secs() >= 3_600, "api_keys.kept_for", "expected at least 1h");
    must(config.lockout.failures >= 1, "lockout.failures", "expected at least 1");
    must(!config.idempotency.kept_for.get().is_zero(), "idempotency.kept_for", "expected more than zero");
    must(config.lockout.client_factor >= 2, "lockout.client_factor", "expected at least 2");
    must(!config.lockout.window.get().is_zero(), "lockout.window", "expected more than zero");
    second_factor::check(config, &mut must);
    passkeys::check(config, &mut must);
    oauth::check(&config.oauth, &mut must);
    faults.extend(pages::check(&config.pages));
    faults
}

/// What is wrong with each of the master keys. A previous one alone would read, but seal nothing.
fn master_key_faults(config: &AuthConfig) -> Vec<(String, &'static str)> {
    const EXPECTED: &str =
        "expected 32 random bytes as base64 or hexadecimal, such as `openssl rand -base64 32` prints";
    let mut faults = Vec::new();
    let is_key = |text: &str| Sealer::new(Some(text), &[]).is_ok();
    if config.master_key.as_deref().is_some_and(|text| !is_key(text)) {
        faults.push(("master_key".to_owned(), EXPECTED));
    }
    for (index, text) in config.previous_master_keys.iter().enumerate() {
        if !is_key(text) {
            faults.push((format!("previous_master_keys[{index}]"), EXPECTED));
        }
    }
    if config.master_key.is_none() && !config.previous_master_keys.is_empty() {
        faults.push(("previous_master_keys".to_owned(), "expected a `master_key` that they came before"));
    }
    faults
}

/// Whether it is an address that can be called.
fn is_callable(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && !text.contains(['?', '#'])
    })
}

fn is_issuer(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && !text.contains(['?', '#'])
        && !text.ends_with('/')
}
