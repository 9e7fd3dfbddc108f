//! A user has let a client in: its session begins, and gives the first tokens.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{OAuthError, audience_for};
use crate::{
    kernel::{Clock, SessionId},
    modules::auth::{
        application::{Audit, IssueTokens, SessionRepository},
        domain::{Actor, Client, Device, GrantType, OFFLINE_ACCESS, Origin, Outcome, Scopes, Session, User},
    },
};

/// What was granted.
pub(crate) struct Grant<'a> {
    /// The session's id, made by the caller: whoever may have to end it knows it before it begins.
    pub(crate) session: SessionId,
    /// How the client came by it.
    pub(crate) kind: GrantType,
    /// Who grants, as read a moment ago: when the password has changed since, nothing is given.
    pub(crate) user: &'a User,
    /// To whom.
    pub(crate) client: &'a Client,
    /// What, out of [`Client::scopes_for`].
    pub(crate) scopes: &'a Scopes,
    /// `resource` (RFC 8707).
    pub(crate) resource: Option<&'a str>,
    /// When the user last showed who it is.
    pub(crate) authenticated_at: DateTime<Utc>,
    /// How, as RFC 8176 names it, separated by spaces.
    pub(crate) methods: &'a str,
    /// What the user will recognise it by: the browser that said yes.
    pub(crate) device: Device,
    /// Where the client's call comes from.
    pub(crate) origin: &'a Origin,
}

/// What the token endpoint answers with (RFC 6749 §5.1). It cannot be printed.
#[derive(Clone)]
pub(crate) struct OAuthTokens {
    /// The access token.
    pub(crate) access: String,
    /// For how many seconds it works.
    pub(crate) expires_in: i64,
    /// The refresh token, where there is one.
    pub(crate) refresh: Option<String>,
    /// What the access token may do.
    pub(crate) scope: String,
    /// The session: the token's `sid`.
    pub(crate) session: SessionId,
    /// The id token, where the grant is a login.
    pub(crate) id_token: Option<String>,
}

/// The use case.
#[derive(Clone)]
pub(crate) struct BeginGrant {
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) tokens: IssueTokens,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
}

impl BeginGrant {
    /// The first tokens. A refresh token is among them when the client may use one and the user granted
    /// `offline_access`. Faults: `invalid_target`; `invalid_grant` when the user was stopped, or changed the password.
    pub(crate) async fn run(&self, grant: Grant<'_>) -> Result<OAuthTokens, OAuthError> {
        let now = self.clock.now();
        let ends_at = now + self.tokens.settings.session_ttl;
        let mut session = Session {
            id: grant.session,
            user_id: grant.user.id,
            client_id: grant.client.id.clone(),
            scope: Some(grant.scopes.to_string()),
            audience: audience_for(&self.tokens.settings, grant.resource)?,
            device: grant.device,
            created_at: now,
            authenticated_at: grant.authenticated_at,
            methods: grant.methods.to_owned(),
            ends_at,
            expires_at: ends_at,
            generation: 0,
            rotated_at: None,
            sealed_successor: None,
            access_expires_at: now,
            revoked_at: None,
        };
        let is_lasting = grant.scopes.has(OFFLINE_ACCESS) && grant.client.may_use(GrantType::RefreshToken);
        let tokens = if is_lasting {
            let issued = self.tokens.pair(grant.user, &session, 0, now).await?;
            session.expires_at = issued.refresh_expires_at;
            session.access_expires_at = issued.access_expires_at;
            OAuthTokens {
                access: issued.access,
                expires_in: issued.expires_in,
                refresh: Some(issued.refresh),
                scope: issued.scope,
                session: session.id,
                id_token: None,
            }
        } else {
            let issued = self.tokens.access(grant.user, &session, now).await?;
            session.expires_at = issued.expires_at;
            session.access_expires_at = issued.expires_at;
            OAuthTokens {
                access: issued.token,
                expires_in: issued.expires_in,
                refresh: None,
                scope: issued.scope,
                session: session.id,
                id_token: None,
            }
        };
        if !self.sessions.insert(&session, Some(&grant.user.password_hash)).await? {
            return Err(OAuthError::invalid_grant("the user's account has changed"));
        }
        tracing::info!(
            event = "grant_begun", user_id = %grant.user.id, client_id = %grant.client.id, session_id = %session.id,
            grant = grant.kind.as_str(),
        );
        let entry = self.audit.entry(Actor::User(grant.user.id), grant.origin, "token.issued", Outcome::Success);
        entry
            .target("session", session.id)
            .detail("client_id", grant.client.id.as_str())
            .detail("grant", grant.kind.as_str())
            .detail("scope", tokens.scope.as_str())
            .write()
            .await;
        Ok(tokens)
    }
}
