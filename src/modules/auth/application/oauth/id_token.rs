//! The id_token tells a client who logged in, when and how (OpenID Connect Core 1.0 §2). What else is known of the user is
//! asked for at the userinfo endpoint (§5.4).

use std::sync::Arc;

use chrono::SubsecRound as _;

use super::{OAuthError, OAuthTokens};
use crate::{
    kernel::Clock,
    modules::auth::{
        application::{IdGrant, Settings, TokenSigner},
        domain::{Approval, Client, OPENID, Scopes},
    },
};

/// The use case.
#[derive(Clone)]
pub(crate) struct IssueIdToken {
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl IssueIdToken {
    /// Adds the id_token to tokens whose scopes ask for one.
    pub(super) fn add(
        &self,
        tokens: OAuthTokens,
        scopes: &Scopes,
        client: &Client,
        approval: &Approval,
        nonce: Option<&str>,
    ) -> Result<OAuthTokens, OAuthError> {
        if !scopes.has(OPENID) {
            return Ok(tokens);
        }
        let issued_at = self.clock.now().trunc_subsecs(0);
        let id_token = self.issuer.id_token(&IdGrant {
            user: approval.user,
            client_id: &client.id,
            session: tokens.session,
            nonce,
            authenticated_at: approval.authenticated_at,
            methods: &approval.methods,
            access: &tokens.access,
            issued_at,
            expires_at: issued_at + self.settings.access_ttl,
        })?;
        Ok(OAuthTokens { id_token: Some(id_token), ..tokens })
    }
}
