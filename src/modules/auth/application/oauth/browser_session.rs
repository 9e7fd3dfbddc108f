//! A user logs in on our own pages, and the browser remembers it by a cookie. Its session is one as all others: listed with
//! them, and ended with them by whatever ends them.

use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{interactions::Interactions, secret::new_secret};
use crate::{
    kernel::{Clock, FIRST_PARTY, Random, SessionId, UserId},
    modules::auth::{
        application::{
            Authenticate, Authenticated, BrowserSessionRepository, Failure, LoginAttempt, RevocationSink,
            SessionRepository, Settings, TokenSigner, UserRepository,
        },
        domain::{Approval, Device, InteractionKind, Origin, Session, User},
    },
};

/// How long the second factor may take after the password.
const SECOND_FACTOR: TimeDelta = TimeDelta::minutes(10);
/// The expiry of a session is moved only when so much is gained, so that not every page is a write.
const STEP: TimeDelta = TimeDelta::minutes(1);

/// A browser whose user is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    pub(crate) user: User,
    pub(crate) session: Session,
}

impl Browser {
    /// What this user approves, as it is kept.
    pub(super) fn approval(&self) -> Approval {
        Approval {
            user: self.user.id,
            browser: self.session.id,
            authenticated_at: self.session.authenticated_at,
            methods: self.session.methods.clone(),
        }
    }
}

/// How a login on the page went.
#[derive(Clone)]
pub(crate) enum PageLogin {
    /// The browser's new cookie.
    Done(String),
    /// The password was right, and a second factor is on: what the next page sends back with its code.
    NeedsCode(String),
}

/// A login that waits for its second factor.
#[derive(Serialize, Deserialize)]
struct HalfLogin {
    user: UserId,
    /// The digest of the hash that the password was compared with: another password makes it void.
    password: String,
}

/// The use cases.
#[derive(Clone)]
pub(crate) struct BrowserSessions {
    pub(crate) authenticate: Authenticate,
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) store: Arc<dyn BrowserSessionRepository>,
    pub(crate) interactions: Interactions,
    pub(crate) digests: Arc<dyn TokenSigner>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl BrowserSessions {
    /// Who is logged in, by the browser's cookie; the session lives on a while longer for it.
    pub(crate) async fn find(&self, cookie: Option<&str>) -> Result<Option<Browser>, Failure> {
        let Some(cookie) = cookie else { return Ok(None) };
        let now = self.clock.now();
        let session = self.store.find(&self.digests.digest(cookie)).await?;
        let Some(session) = session.filter(|session| session.is_alive(now) && session.ends_at > now) else {
            return Ok(None);
        };
        let user = self.users.find(session.user_id).await?;
        let Some(user) = user.filter(|user| user.can_log_in(false).is_ok()) else { return Ok(None) };
        let expires_at = (now + self.settings.oauth.browser_idle).min(session.ends_at);
        if expires_at - session.expires_at > STEP {
            self.store.touch(session.id, expires_at).await?;
        }
        Ok(Some(Browser { user, session }))
    }

    /// Logs in by address and password. The cookie that the browser had is worth nothing afterwards.
    pub(crate) async fn log_in(
        &self,
        attempt: LoginAttempt,
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<PageLogin, Failure> {
        match self.authenticate.run(&attempt).await {
            Ok(authenticated) => Ok(PageLogin::Done(self.begin(authenticated, cookie, origin).await?)),
            Err(Failure::MfaRequired) => {
                let user = self.users.find_by_email(&attempt.email).await?.ok_or(Failure::InvalidCredentials)?;
                let password = self.digests.digest(user.password_hash.as_text());
                let half = HalfLogin { user: user.id, password };
                let secret = self.interactions.leave(InteractionKind::SecondFactor, &half, SECOND_FACTOR).await?;
                Ok(PageLogin::NeedsCode(secret))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Ends a login that asked for a code. `InvalidCredentials` when it has to begin anew.
    pub(crate) async fn finish_log_in(
        &self,
        half: &str,
        code: &str,
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<String, Failure> {
        let kind = InteractionKind::SecondFactor;
        let login: HalfLogin = self.interactions.find(kind, half).await?.ok_or(Failure::InvalidCredentials)?;
        let authenticated = self.authenticate.finish(login.user, code, origin).await?;
        if self.digests.digest(authenticated.user.password_hash.as_text()) != login.password {
            return Err(Failure::InvalidCredentials);
        }
        let taken: Option<HalfLogin> = self.interactions.take(kind, half).await?;
        taken.ok_or(Failure::InvalidCredentials)?;
        self.begin(authenticated, cookie, origin).await
    }

    /// Ends the browser's session.
    pub(crate) async fn end(&self, session: SessionId, reason: &'static str) -> Result<(), Failure> {
        let now = self.clock.now();
        let ended = self.sessions.revoke(session, reason, now, now + self.settings.access_ttl).await?;
        self.revocations.revoked(ended.as_slice());
        Ok(())
    }

    /// The cookie of a browser whose user has shown who it is; the one before is worth nothing afterwards.
    pub(crate) async fn begin(
        &self,
        authenticated: Authenticated,
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<String, Failure> {
        let Authenticated { user, methods } = authenticated;
        let now = self.clock.now();
        let ends_at = now + self.settings.oauth.browser_ttl;
        let session = Session {
            id: SessionId::new(&*self.clock, &*self.random),
            user_id: user.id,
            client_id: FIRST_PARTY.to_owned(),
            scope: None,
            audience: None,
            device: device_of(origin),
            created_at: now,
            authenticated_at: now,
            methods,
            ends_at,
            expires_at: (now + self.settings.oauth.browser_idle).min(ends_at),
            generation: 0,
            rotated_at: None,
            sealed_successor: None,
            access_expires_at: now,
            revoked_at: None,
        };
        let secret = new_secret(&*self.random);
        if !self.store.keep(&self.digests.digest(&secret), &session, &user.password_hash).await? {
            // The password was changed, or the account stopped, since it was looked at.
            return Err(Failure::InvalidCredentials);
        }
        if let Some(old) = cookie
            && let Some(before) = self.store.find(&self.digests.digest(old)).await?
        {
            self.end(before.id, "logged_in_anew").await?;
        }
        tracing::info!(event = "user_logged_in", user_id = %user.id, session_id = %session.id, by = "page");
        Ok(secret)
    }
}

/// What a user will recognise a session by.
fn device_of(origin: &Origin) -> Device {
    Device { user_agent: origin.user_agent.clone(), address: origin.address.map(|address| address.to_string()) }
}
