//! A client spends a refresh token for the next (RFC 6749 §6, RFC 9700 §4.14): as with our own sessions, but bound to the
//! client, and for no more than the user granted.

use super::{IssueIdToken, OAuthCode, OAuthError, OAuthTokens, audience_for, id_token::OfLogin};
use crate::modules::auth::{
    application::{Audit, Failure, Refresh},
    domain::{Actor, Client, Origin, Outcome, Scopes, Session},
};

/// The use case.
#[derive(Clone)]
pub(crate) struct SpendRefreshToken {
    pub(crate) refresh: Refresh,
    pub(crate) id_tokens: IssueIdToken,
    pub(crate) audit: Audit,
}

impl SpendRefreshToken {
    /// The next tokens. `scope` narrows the access token; the refresh token stays as wide as it was.
    pub(crate) async fn run(
        &self,
        client: &Client,
        token: &str,
        scope: Option<&str>,
        resource: Option<&str>,
        origin: &Origin,
    ) -> Result<OAuthTokens, OAuthError> {
        let wrong = || OAuthError::from(Failure::InvalidRefreshToken);
        let grant = self.refresh.issuer.read_refresh(token).ok_or_else(wrong)?;
        let session = self.refresh.sessions.find(grant.session).await?;
        let session = session.filter(|session| session.client_id == client.id).ok_or_else(wrong)?;
        if resource.is_some() && audience_for(&self.refresh.tokens.settings, resource)? != session.audience {
            return Err(OAuthError::new(OAuthCode::InvalidTarget, "the user granted nothing for this resource"));
        }
        let scopes = narrowed(client, &session, scope)?;
        match self.refresh.spend(token, &client.id, Some(scopes.to_string())).await {
            Ok(issued) => {
                let tokens = OAuthTokens {
                    access: issued.access,
                    expires_in: issued.expires_in,
                    refresh: Some(issued.refresh),
                    scope: issued.scope,
                    session: session.id,
                    id_token: None,
                };
                let Session { user_id, authenticated_at, methods, .. } = &session;
                let login = OfLogin { user: *user_id, authenticated_at: *authenticated_at, methods, nonce: None };
                self.id_tokens.add(tokens, &scopes, client, login)
            }
            Err(failure) => {
                if failure == Failure::RefreshTokenReused {
                    let actor = Actor::Client(client.id.clone());
                    let entry = self.audit.entry(actor, origin, "session.refresh_reused", Outcome::Failure);
                    entry.target("session", session.id).detail("user_id", session.user_id.to_string()).write().await;
                }
                Err(failure.into())
            }
        }
    }
}

/// What the user granted, less what the client may no longer ask for, and of that what it asks for now.
fn narrowed(client: &Client, session: &Session, asked: Option<&str>) -> Result<Scopes, OAuthError> {
    let invalid = |detail: String| OAuthError::new(OAuthCode::InvalidScope, detail);
    let granted = Scopes::parse(session.scope.as_deref().unwrap_or_default()).map_err(|fault| invalid(fault.detail))?;
    let granted = granted.only(|name| client.scopes.contains(name));
    let Some(asked) = asked else { return Ok(granted) };
    let asked = Scopes::parse(asked).map_err(|fault| invalid(fault.detail))?;
    if asked.are_within(&granted) { Ok(asked) } else { Err(invalid("a scope was not granted by the user".to_owned())) }
}
