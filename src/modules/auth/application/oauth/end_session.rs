//! A client ends the user's login (OpenID Connect RP-Initiated Logout 1.0): the browser's session, and what the client got
//! by it. Nobody is logged out by a link alone: either the client shows the id_token it got, or the user is asked.

use std::sync::Arc;

use super::{Browser, BrowserSessions};
use crate::{
    kernel::SessionId,
    modules::auth::{
        application::{
            Audit, AuthorizationCodeRepository, ClientRepository, Failure, IdHint, SessionRepository, TokenSigner,
        },
        domain::{Actor, AuthorizationRequest, Client, Origin, Outcome},
    },
};

/// What a client asks for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogoutRequest<'a> {
    pub(crate) id_token_hint: Option<&'a str>,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) post_logout_redirect_uri: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
}

/// What the browser is to see next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogoutStep {
    /// The user is asked.
    Confirm { client_name: Option<String>, client_id: Option<String>, redirect_uri: Option<String> },
    /// It is done; the browser goes on to the client, if that wants it.
    Done { redirect_to: Option<String> },
    /// The request contradicts itself, or wants the browser sent to an address that is not the client's.
    Wrong(&'static str),
}

/// The use case.
#[derive(Clone)]
pub(crate) struct EndSession {
    pub(crate) clients: Arc<dyn ClientRepository>,
    pub(crate) codes: Arc<dyn AuthorizationCodeRepository>,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) browsers: BrowserSessions,
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) audit: Audit,
}

impl EndSession {
    /// Logs out, or asks whether to. `is_confirmed`: the user has been asked and said yes.
    pub(crate) async fn run(
        &self,
        asked: LogoutRequest<'_>,
        browser: Option<&Browser>,
        is_confirmed: bool,
        origin: &Origin,
    ) -> Result<LogoutStep, Failure> {
        let hint = asked.id_token_hint.and_then(|hint| self.issuer.read_id_token(hint));
        if let (Some(hint), Some(named)) = (&hint, asked.client_id)
            && hint.client_id != named
        {
            return Ok(LogoutStep::Wrong("The application that wants you logged out is not the one you logged in to."));
        }
        let client = match hint.as_ref().map(|hint| hint.client_id.as_str()).or(asked.client_id) {
            Some(id) => self.clients.find(id).await?,
            None => None,
        };
        let redirect_to = match (asked.post_logout_redirect_uri, &client) {
            (None, _) => None,
            (Some(uri), Some(client)) if client.post_logout_redirect_uris.iter().any(|kept| kept.matches(uri)) => {
                let state: Vec<_> = asked.state.map(|state| ("state", state)).into_iter().collect();
                Some(if state.is_empty() { uri.to_owned() } else { AuthorizationRequest::answer(uri, &state) })
            }
            (Some(_), _) => {
                return Ok(LogoutStep::Wrong("The application wants you sent to an address that is not its own."));
            }
        };
        let is_hinted = hint.as_ref().is_some_and(|hint| browser.is_none_or(|browser| browser.user.id == hint.user));
        if browser.is_some() && !is_hinted && !is_confirmed {
            let (client_id, client_name) = client.map(|client| (client.id, client.name)).unzip();
            return Ok(LogoutStep::Confirm { client_name, client_id, redirect_uri: redirect_to });
        }
        self.end(client.as_ref(), hint.as_ref().filter(|_| is_hinted), browser, origin).await?;
        Ok(LogoutStep::Done { redirect_to })
    }

    async fn end(
        &self,
        client: Option<&Client>,
        hint: Option<&IdHint>,
        browser: Option<&Browser>,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let mut theirs = Vec::new();
        if let (Some(browser), Some(client)) = (browser, client) {
            theirs = self.codes.given(browser.session.id, &client.id).await?;
        }
        if let Some(hint) = hint {
            theirs.push(hint.session);
        }
        for session in theirs {
            self.end_of_client(session, client).await?;
        }
        let Some(browser) = browser else { return Ok(()) };
        self.browsers.end(browser.session.id, "logout").await?;
        tracing::info!(event = "user_logged_out", user_id = %browser.user.id, session_id = %browser.session.id);
        let entry = self.audit.entry(Actor::User(browser.user.id), origin, "session.revoked", Outcome::Success);
        entry.target("session", browser.session.id).detail("reason", "logout").write().await;
        Ok(())
    }

    /// Ends a session that is the client's; a browser's own, or another client's, is not meant.
    async fn end_of_client(&self, id: SessionId, client: Option<&Client>) -> Result<(), Failure> {
        let session = self.sessions.find(id).await?;
        let is_theirs = session.is_some_and(|session| client.is_some_and(|client| client.id == session.client_id));
        if is_theirs { self.browsers.end(id, "logout").await } else { Ok(()) }
    }
}
