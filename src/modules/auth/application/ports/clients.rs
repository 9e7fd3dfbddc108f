//! OAuth clients, what they were given for themselves, and the proofs that they sign.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{PortError, RevokedSession};
use crate::{
    kernel::{Page, PageRequest, SessionId, error::ValueFault},
    modules::auth::domain::{Assertion, Client, ClientGrant},
};

/// Where OAuth clients are kept.
#[async_trait]
pub(crate) trait ClientRepository: Send + Sync {
    /// Adds a client.
    async fn add(&self, client: &Client) -> Result<(), PortError>;
    /// The client of an id.
    async fn find(&self, id: &str) -> Result<Option<Client>, PortError>;
    /// Clients by id, which is by creation.
    async fn list(&self, page: &PageRequest) -> Result<Page<Client>, PortError>;
    /// Replaces a client that was not changed since `client.updated_at` was read as `unless_changed_since`; `false`
    /// when it was, or is not there.
    async fn replace(&self, client: &Client, unless_changed_since: DateTime<Utc>) -> Result<bool, PortError>;
    /// Removes a client, and with it what it was given to keep: consents, codes, and its sessions and grants, which are
    /// ended and told. MUST set the end of their access tokens to at least `tokens_until`. `None` when there is none such.
    async fn remove(
        &self,
        id: &str,
        now: DateTime<Utc>,
        tokens_until: DateTime<Utc>,
    ) -> Result<Option<Vec<RevokedSession>>, PortError>;
    /// Keeps the digest of an assertion until it expires. `true` for exactly one of several calls with one digest.
    async fn spend_assertion(
        &self,
        client_id: &str,
        digest: &str,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, PortError>;
}

/// Where the tokens are kept that clients got for themselves. What is revoked here MUST be told by
/// [`SessionRepository::revoked`](super::SessionRepository::revoked) too, for verifiers ask nowhere else.
#[async_trait]
pub(crate) trait ClientGrantRepository: Send + Sync {
    /// Keeps a grant if its client is there; `false` otherwise. So no token outlives the removal of its client.
    async fn insert_grant(&self, grant: &ClientGrant) -> Result<bool, PortError>;
    /// The grant of an id.
    async fn find_grant(&self, id: SessionId) -> Result<Option<ClientGrant>, PortError>;
    /// Ends a grant. `None` when it had ended before, or never was.
    async fn revoke_grant(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<RevokedSession>, PortError>;
}

/// Reads what clients sign (RFC 7523), and the keys they sign with.
pub(crate) trait ClientKeys: Send + Sync {
    /// A JWK Set as it is to be kept: every key public, for signatures, of a kind that is verified here. Fault:
    /// `invalid-jwks`.
    fn check(&self, jwks: &str) -> Result<String, ValueFault>;
    /// Who an assertion says it is from. Nothing of it is proven.
    fn claimed_client(&self, assertion: &str) -> Option<String>;
    /// What an assertion says, if one of these keys signed it. The algorithm MUST be one of the key's, never a secret's.
    fn verify(&self, assertion: &str, jwks: &str) -> Option<Assertion>;
}
