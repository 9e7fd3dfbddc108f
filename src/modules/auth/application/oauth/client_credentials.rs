//! A client gets a token for itself (RFC 6749 §4.4).

use std::sync::Arc;

use chrono::SubsecRound as _;

use super::{OAuthCode, OAuthError, OAuthTokens, audience_for};
use crate::{
    kernel::{Clock, Random, SessionId, Subject},
    modules::auth::{
        application::{AccessGrant, Audit, ClientGrantRepository, Settings, TokenSigner},
        domain::{Actor, Client, ClientGrant, GrantType, Origin, Outcome, USER_SCOPES},
    },
};

/// The use case.
#[derive(Clone)]
pub(crate) struct ClientCredentials {
    pub(crate) grants: Arc<dyn ClientGrantRepository>,
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl ClientCredentials {
    /// An access token whose subject is the client. It gets no refresh token, and no scope that speaks of a user.
    pub(crate) async fn run(
        &self,
        client: &Client,
        scope: Option<&str>,
        resource: Option<&str>,
        origin: &Origin,
    ) -> Result<OAuthTokens, OAuthError> {
        let scopes =
            client.scopes_for(scope).map_err(|fault| OAuthError::new(OAuthCode::InvalidScope, fault.detail))?;
        let scope = scopes.only(|name| !USER_SCOPES.contains(&name)).to_string();
        let issued_at = self.clock.now().trunc_subsecs(0);
        let grant = ClientGrant {
            id: SessionId::new(&*self.clock, &*self.random),
            client_id: client.id.clone(),
            scope,
            audience: audience_for(&self.settings, resource)?,
            issued_at,
            expires_at: issued_at + self.settings.access_ttl,
            revoked_at: None,
        };
        if !self.grants.insert_grant(&grant).await? {
            return Err(OAuthError::invalid_client());
        }
        let access = self.issuer.access(&AccessGrant {
            subject: Subject::Client(client.id.clone()),
            session: grant.id,
            client_id: client.id.clone(),
            scope: grant.scope.clone(),
            audience: grant.audience,
            roles: Vec::new(),
            email: None,
            issued_at,
            expires_at: grant.expires_at,
        })?;
        let entry = self.audit.entry(Actor::Client(client.id.clone()), origin, "token.issued", Outcome::Success);
        let entry = entry.target("session", grant.id).detail("client_id", client.id.as_str());
        entry
            .detail("grant", GrantType::ClientCredentials.as_str())
            .detail("scope", grant.scope.as_str())
            .write()
            .await;
        Ok(OAuthTokens {
            access,
            expires_in: self.settings.access_ttl.num_seconds(),
            refresh: None,
            scope: grant.scope,
            session: grant.id,
            id_token: None,
        })
    }
}
