//! The id_token tells a client who logged in, when and how (OpenID Connect Core 1.0 §2). What else is known of the user is
//! asked for at the userinfo endpoint (§5.4).

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};

use super::{OAuthError, OAuthTokens};
use crate::{
    kernel::{Clock, UserId},
    modules::auth::{
        application::{IdGrant, Settings, TokenSigner},
        domain::{Client, OPENID, Scopes},
    },
};

/// The login that an id_token tells of: the one that the grant began with, also after refreshes (§12.2).
#[derive(Clone, Copy)]
pub(super) struct OfLogin<'a> {
    pub(super) user: UserId,
    pub(super) authenticated_at: DateTime<Utc>,
    /// As RFC 8176 names it, separated by spaces.
    pub(super) methods: &'a str,
    /// What the client sent to know the first answer by; no later one has it.
    pub(super) nonce: Option<&'a str>,
}

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
        login: OfLogin<'_>,
    ) -> Result<OAuthTokens, OAuthError> {
        if !scopes.has(OPENID) {
            return Ok(tokens);
        }
        let issued_at = self.clock.now().trunc_subsecs(0);
        let id_token = self.issuer.id_token(&IdGrant {
            user: login.user,
            client_id: &client.id,
            session: tokens.session,
            nonce: login.nonce,
            authenticated_at: login.authenticated_at,
            methods: login.methods,
            access: &tokens.access,
            issued_at,
            expires_at: issued_at + self.settings.access_ttl,
        })?;
        Ok(OAuthTokens { id_token: Some(id_token), ..tokens })
    }
}
