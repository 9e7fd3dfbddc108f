//! What a token stands for now (RFC 7662).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::OAuthError;
use crate::{
    kernel::{Clock, SessionId, Subject},
    modules::auth::{
        application::{AccessGrant, ClientGrantRepository, RefreshGrant, SessionRepository, Settings, TokenSigner},
        domain::{Client, RefreshDecision, decide_refresh},
    },
};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker<'a> {
    /// A client that has shown who it is.
    Client(&'a Client),
    /// Somebody with the permission to.
    Permitted,
}

/// A token that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenState {
    /// `Bearer`, or `refresh_token`.
    pub(crate) kind: &'static str,
    pub(crate) subject: Subject,
    pub(crate) session: SessionId,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) audience: String,
    /// The user's address, when the token tells it.
    pub(crate) username: Option<String>,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    /// `jti`.
    pub(crate) id: Option<String>,
}

/// The use case.
#[derive(Clone)]
pub(crate) struct IntrospectToken {
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) grants: Arc<dyn ClientGrantRepository>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl IntrospectToken {
    /// The token's state; `None` for everything that does not work, whatever the reason. The store is asked, so that what
    /// another instance ended a moment ago is known.
    pub(crate) async fn run(&self, asker: Asker<'_>, token: &str) -> Result<Option<TokenState>, OAuthError> {
        if let Some((grant, id)) = self.issuer.read_access(token) {
            return self.access(grant, id).await;
        }
        match self.issuer.read_refresh(token) {
            Some(grant) => self.refresh(asker, &grant).await,
            None => Ok(None),
        }
    }

    async fn access(&self, grant: AccessGrant, id: String) -> Result<Option<TokenState>, OAuthError> {
        if grant.expires_at <= self.clock.now() {
            return Ok(None);
        }
        let works = match grant.subject {
            Subject::User(_) => {
                self.sessions.find(grant.session).await?.is_some_and(|session| session.revoked_at.is_none())
            }
            Subject::Client(_) => {
                self.grants.find_grant(grant.session).await?.is_some_and(|grant| grant.revoked_at.is_none())
            }
        };
        Ok(works.then(|| TokenState {
            kind: "Bearer",
            subject: grant.subject,
            session: grant.session,
            client_id: grant.client_id,
            scope: grant.scope,
            audience: grant.audience.unwrap_or_else(|| self.settings.audience.clone()),
            username: grant.email,
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            id: Some(id),
        }))
    }

    /// A refresh token is nobody's business but its client's.
    async fn refresh(&self, asker: Asker<'_>, grant: &RefreshGrant) -> Result<Option<TokenState>, OAuthError> {
        let now = self.clock.now();
        let Some(session) = self.sessions.find(grant.session).await? else { return Ok(None) };
        let may_know = match asker {
            Asker::Client(client) => client.id == session.client_id,
            Asker::Permitted => true,
        };
        let decision = decide_refresh(&session, grant.generation, now, self.settings.refresh_reuse_leeway);
        let works = matches!(decision, RefreshDecision::Rotate | RefreshDecision::Replay)
            && grant.expires_at > now
            && session.user_id == grant.user;
        Ok((may_know && works).then(|| TokenState {
            kind: "refresh_token",
            subject: Subject::User(session.user_id),
            session: session.id,
            client_id: session.client_id,
            scope: session.scope.unwrap_or_default(),
            audience: self.settings.audience.clone(),
            username: None,
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            id: None,
        }))
    }
}
