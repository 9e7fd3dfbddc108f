//! A refresh token is spent for a new pair. Spending is one comparison and change in the store, so that however many ask
//! at once, one chain goes on: the others, within the leeway, get the very token that the first one got.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    Audit, Failure, IssueTokens, IssuedTokens, RefreshGrant, RevocationSink, Rotation, SessionRepository, TokenSigner,
    UserRepository,
};
use crate::{
    kernel::{Clock, FIRST_PARTY},
    modules::auth::domain::{Actor, Origin, Outcome, RefreshDecision, Session, User, decide_refresh},
};

/// How often a refresh looks again that lost against another one; each loss means that the session went on.
const LOOKS: usize = 3;

/// The use case.
#[derive(Clone)]
pub(crate) struct Refresh {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) tokens: IssueTokens,
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Refresh {
    /// A new pair for a refresh token of our own login.
    pub(crate) async fn run(&self, token: &str, origin: &Origin) -> Result<IssuedTokens, Failure> {
        let outcome = self.spend(token, FIRST_PARTY, None).await;
        if let (Err(Failure::RefreshTokenReused), Some(grant)) = (&outcome, self.issuer.read_refresh(token)) {
            // Somebody sent it, but which of the two who have it is not known.
            let line = self.audit.entry(Actor::Anonymous, origin, "session.refresh_reused", Outcome::Failure);
            line.target("user", grant.user).detail("session", grant.session.to_string()).write().await;
        }
        outcome
    }

    /// A new pair for a refresh token that was given to this client, and is no other's to spend. `scope` narrows what the
    /// access token may do, for now.
    pub(crate) async fn spend(
        &self,
        token: &str,
        client_id: &str,
        scope: Option<String>,
    ) -> Result<IssuedTokens, Failure> {
        let grant = self.issuer.read_refresh(token).ok_or(Failure::InvalidRefreshToken)?;
        for _ in 0..LOOKS {
            let mut session = self.sessions.find(grant.session).await?.ok_or(Failure::InvalidRefreshToken)?;
            let now = self.clock.now();
            if grant.expires_at <= now || session.user_id != grant.user || session.client_id != client_id {
                return Err(Failure::InvalidRefreshToken);
            }
            if scope.is_some() {
                session.scope.clone_from(&scope);
            }
            let user = self.users.find(grant.user).await?.ok_or(Failure::InvalidRefreshToken)?;
            // Verification is asked for at login; a session that lives is ended by suspension alone.
            user.can_log_in(false).map_err(|_| Failure::InvalidRefreshToken)?;
            let leeway = self.tokens.settings.refresh_reuse_leeway;
            match decide_refresh(&session, grant.generation, now, leeway) {
                RefreshDecision::Rotate => {
                    if let Some(issued) = self.rotate(&user, &session, token, now).await? {
                        return Ok(issued);
                    }
                }
                RefreshDecision::Replay => return self.replay(&user, &session, token, now).await,
                RefreshDecision::Reused => return self.end(&grant, now).await,
                RefreshDecision::Ended => return Err(Failure::InvalidRefreshToken),
            }
        }
        Err(Failure::Unavailable("the session is changing too fast".to_owned()))
    }

    /// `None`: another call spent the token first.
    async fn rotate(
        &self,
        user: &User,
        session: &Session,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<IssuedTokens>, Failure> {
        let issued = self.tokens.pair(user, session, session.generation + 1, now).await?;
        let rotation = Rotation {
            session: session.id,
            spent: session.generation,
            sealed_successor: self.issuer.seal(&issued.refresh, token)?,
            at: now,
            expires_at: issued.refresh_expires_at,
            access_expires_at: issued.access_expires_at,
        };
        Ok(self.sessions.rotate(&rotation).await?.then_some(issued))
    }

    async fn replay(
        &self,
        user: &User,
        session: &Session,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<IssuedTokens, Failure> {
        let sealed = session.sealed_successor.as_deref().unwrap_or_default();
        // A token of the right number that does not open the seal is not the one that was spent.
        let successor = self.issuer.open(sealed, token).ok_or(Failure::InvalidRefreshToken)?;
        self.tokens.beside(user, session, successor, now).await
    }

    async fn end(&self, grant: &RefreshGrant, now: DateTime<Utc>) -> Result<IssuedTokens, Failure> {
        let until = now + self.tokens.settings.access_ttl;
        let ended = self.sessions.revoke(grant.session, "refresh_token_reused", now, until).await?;
        self.revocations.revoked(ended.as_slice());
        tracing::warn!(event = "refresh_token_reused", user_id = %grant.user, session_id = %grant.session);
        Err(Failure::RefreshTokenReused)
    }
}
