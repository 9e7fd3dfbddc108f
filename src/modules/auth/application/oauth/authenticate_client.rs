//! A client shows who it is (RFC 6749 §2.3, RFC 7523). Whoever fails learns nothing: not which clients there are, not how
//! they prove themselves.

use std::{net::IpAddr, sync::Arc};

use secrecy::{ExposeSecret as _, SecretString};

use super::OAuthError;
use crate::{
    kernel::Clock,
    modules::auth::{
        application::{AttemptLimiter, ClientKeys, ClientRepository, Failure, Settings, TokenSigner},
        domain::{Client, ClientProof},
    },
};

/// What a request says about its client.
#[derive(Debug, Clone)]
pub(crate) enum Presented {
    /// A name alone.
    Name(String),
    /// A name and a secret.
    Secret(String, SecretString),
    /// A signed assertion, and the name when that was said too.
    Assertion(Option<String>, SecretString),
}

/// The use case.
#[derive(Clone)]
pub(crate) struct AuthenticateClient {
    pub(crate) clients: Arc<dyn ClientRepository>,
    pub(crate) keys: Arc<dyn ClientKeys>,
    pub(crate) digests: Arc<dyn TokenSigner>,
    /// Counts apart from users' logins.
    pub(crate) attempts: Arc<dyn AttemptLimiter>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl AuthenticateClient {
    /// The client, if it is the one. `endpoint` is the path that was called. Faults: `invalid_client`; 429 after too many
    /// of them for one client from one address.
    pub(crate) async fn run(
        &self,
        presented: &Presented,
        address: IpAddr,
        endpoint: &str,
    ) -> Result<Client, OAuthError> {
        let id = match presented {
            // Nothing can be guessed here.
            Presented::Name(id) => return self.named(id).await,
            Presented::Secret(id, _) => id.clone(),
            Presented::Assertion(name, assertion) => {
                let claimed = self.keys.claimed_client(assertion.expose_secret());
                let claimed = claimed.ok_or_else(OAuthError::invalid_client)?;
                if name.as_ref().is_some_and(|name| *name != claimed) {
                    return Err(OAuthError::invalid_client());
                }
                claimed
            }
        };
        // By client and address together: who fails elsewhere keeps no client out.
        let account = format!("{id} {address}");
        self.attempts.check(&account, address).await.map_err(Failure::from)?;
        let client = self.clients.find(&id).await?;
        let is_proven = match presented {
            Presented::Secret(_, secret) => self.knows_secret(client.as_ref(), secret),
            Presented::Assertion(_, assertion) => self.holds_key(client.as_ref(), assertion, endpoint).await?,
            Presented::Name(_) => false,
        };
        self.attempts.settle(&account, address, is_proven).await.map_err(Failure::from)?;
        client.filter(|_| is_proven).ok_or_else(|| {
            tracing::warn!(event = "client_authentication_failed", %address, endpoint);
            OAuthError::invalid_client()
        })
    }

    /// A client that has nothing to prove itself with.
    async fn named(&self, id: &str) -> Result<Client, OAuthError> {
        let client = self.clients.find(id).await?;
        client.filter(|client| client.proof == ClientProof::Public).ok_or_else(OAuthError::invalid_client)
    }

    fn knows_secret(&self, client: Option<&Client>, secret: &SecretString) -> bool {
        // Hashed in any case, so that an unknown client takes as long.
        let hash = self.digests.digest(secret.expose_secret());
        match client.map(|client| &client.proof) {
            Some(ClientProof::Secret(kept)) => kept.is(&hash, self.clock.now()),
            _ => false,
        }
    }

    async fn holds_key(
        &self,
        client: Option<&Client>,
        assertion: &SecretString,
        endpoint: &str,
    ) -> Result<bool, OAuthError> {
        let Some(Client { id, proof: ClientProof::PrivateKey(jwks), .. }) = client else { return Ok(false) };
        let Some(assertion) = self.keys.verify(assertion.expose_secret(), jwks) else { return Ok(false) };
        let issuer = &self.settings.issuer;
        let audiences = [issuer.clone(), format!("{issuer}/oauth/token"), format!("{issuer}{endpoint}")];
        if !assertion.proves(id, &audiences, self.clock.now(), self.settings.oauth.assertion_max_lifetime) {
            return Ok(false);
        }
        let digest = self.digests.digest(&format!("{id} {}", assertion.id));
        Ok(self.clients.spend_assertion(id, &digest, assertion.remembered_until()).await?)
    }
}
