//! `[[gateway.issuers]]`: others whose access tokens routes may take.

use serde::{Deserialize, Serialize};

use crate::{
    kernel::units::{ByteSize, Span},
    platform::tokens::SigningAlgorithm,
};

/// One of `[[gateway.issuers]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// What routes call it, and what stands before the subject in `X-User-Id`.
    pub name: String,
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// What must be among `aud`.
    pub audience: String,
    /// Where its keys are; absent: where `{issuer}/.well-known/openid-configuration` says.
    pub jwks_url: Option<String>,
    /// Keys of other algorithms are not used.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<SigningAlgorithm>,
    /// The claim with the roles: its name, or a path with dots.
    #[serde(default = "roles")]
    pub roles_claim: String,
    /// The claim with the scopes: its name, or a path with dots.
    #[serde(default = "scope")]
    pub scopes_claim: String,
    /// How often the keys are fetched.
    #[serde(default = "refresh")]
    pub refresh: Span,
    /// Between two fetches that tokens with unknown keys cause, and after one that failed.
    #[serde(default = "cooldown")]
    pub cooldown: Span,
    /// Older keys verify nothing: 503.
    #[serde(default = "max_age")]
    pub max_age: Span,
    /// For one fetch.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// The largest answer to one.
    #[serde(default = "body_limit")]
    pub body_limit: ByteSize,
}

/// What routes call our own tokens.
pub const OWN_ISSUER: &str = "self";

fn algorithms() -> Vec<SigningAlgorithm> {
    vec![SigningAlgorithm::ES256, SigningAlgorithm::RS256, SigningAlgorithm::EdDSA]
}
fn roles() -> String {
    "roles".to_owned()
}
fn scope() -> String {
    "scope".to_owned()
}
const fn refresh() -> Span {
    Span::secs(300)
}
const fn cooldown() -> Span {
    Span::secs(30)
}
const fn max_age() -> Span {
    Span::secs(3600)
}
const fn timeout() -> Span {
    Span::secs(5)
}
const fn body_limit() -> ByteSize {
    ByteSize(256 << 10)
}
