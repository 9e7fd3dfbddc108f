//! A client fetches what a user agreed to (RFC 6749 §4.1.3, RFC 7636 §4.6).

use std::sync::Arc;

use super::{BeginGrant, Grant, IssueIdToken, OAuthCode, OAuthError, OAuthTokens, audience_for, id_token::OfLogin};
use crate::{
    kernel::{Clock, Random, SessionId},
    modules::auth::{
        application::{
            Audit, AuthorizationCodeRepository, RevocationSink, SessionRepository, Settings, TokenSigner,
            UserRepository,
        },
        domain::{
            Actor, Approval, AuthorizationCode, Client, CodeChallenge, Device, GrantType, Origin, Outcome, Scopes, User,
        },
    },
};

/// What a client sends for its tokens.
#[derive(Clone, Copy)]
pub(crate) struct Redemption<'a> {
    pub(crate) code: &'a str,
    /// Where the code was sent to. It may be left out: the verifier says as much.
    pub(crate) redirect_uri: Option<&'a str>,
    /// What the challenge was made of.
    pub(crate) verifier: &'a str,
    pub(crate) resource: Option<&'a str>,
}

/// Gives a client what a user approved, in a browser or for a device.
#[derive(Clone)]
pub(crate) struct GiveApproved {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) begin: BeginGrant,
    pub(crate) id_tokens: IssueIdToken,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// What was approved.
pub(super) struct Approved<'a> {
    pub(super) session: SessionId,
    pub(super) kind: GrantType,
    pub(super) scopes: &'a [String],
    pub(super) resource: Option<&'a str>,
    pub(super) nonce: Option<&'a str>,
    pub(super) approval: &'a Approval,
}

impl GiveApproved {
    /// A new session's id, known before the session begins.
    pub(super) fn next_session(&self) -> SessionId {
        SessionId::new(&*self.clock, &*self.random)
    }

    /// The user who approved, and the browser it was done in; unless that counts no more, because the browser's session
    /// has ended, by whatever ended it.
    pub(super) async fn approver(&self, approval: &Approval) -> Result<Option<(User, Device)>, OAuthError> {
        let browser = self.sessions.find(approval.browser).await?;
        let Some(browser) = browser.filter(|browser| browser.revoked_at.is_none()) else { return Ok(None) };
        let user = self.users.find(approval.user).await?;
        Ok(user.filter(|user| user.can_log_in(false).is_ok()).map(|user| (user, browser.device)))
    }

    pub(super) async fn run(
        &self,
        client: &Client,
        (user, device): (&User, Device),
        approved: Approved<'_>,
        origin: &Origin,
    ) -> Result<OAuthTokens, OAuthError> {
        let Approved { session, kind, scopes, resource, nonce, approval } = approved;
        let invalid = |detail: String| OAuthError::new(OAuthCode::InvalidScope, detail);
        let scopes = Scopes::of(scopes.iter().cloned()).map_err(|fault| invalid(fault.detail))?;
        // What was registered for the client may have become less since.
        let scopes = scopes.only(|name| client.scopes.contains(name));
        let grant = Grant {
            session,
            kind,
            user,
            client,
            scopes: &scopes,
            resource,
            authenticated_at: approval.authenticated_at,
            methods: &approval.methods,
            device,
            origin,
        };
        let tokens = self.begin.run(grant).await?;
        let Approval { user, authenticated_at, methods, .. } = approval;
        let login = OfLogin { user: *user, authenticated_at: *authenticated_at, methods, nonce };
        self.id_tokens.add(tokens, &scopes, client, login)
    }
}

/// The use case.
#[derive(Clone)]
pub(crate) struct RedeemCode {
    pub(crate) codes: Arc<dyn AuthorizationCodeRepository>,
    pub(crate) give: GiveApproved,
    pub(crate) digests: Arc<dyn TokenSigner>,
    pub(crate) revocations: Arc<dyn RevocationSink>,
    pub(crate) audit: Audit,
    pub(crate) settings: Arc<Settings>,
}

impl RedeemCode {
    /// The tokens that a code stands for. Who does not have the verifier neither gets anything nor spoils anything; who
    /// has it, and comes a second time, ends what the first one got.
    pub(crate) async fn run(
        &self,
        client: &Client,
        asked: Redemption<'_>,
        origin: &Origin,
    ) -> Result<OAuthTokens, OAuthError> {
        let wrong = || OAuthError::invalid_grant("the code is not valid, or no longer");
        let hash = self.digests.digest(asked.code);
        let code = self.codes.find(&hash).await?.filter(|code| code.client_id == client.id).ok_or_else(wrong)?;
        let is_theirs = CodeChallenge::is_verifier(asked.verifier)
            && self.digests.s256(asked.verifier) == code.challenge.as_str()
            && asked.redirect_uri.is_none_or(|uri| uri == code.redirect_uri);
        if !is_theirs {
            return Err(wrong());
        }
        if asked.resource.is_some() && code.resource.is_some() && asked.resource != code.resource.as_deref() {
            return Err(OAuthError::new(OAuthCode::InvalidTarget, "the user granted nothing for this resource"));
        }
        let resource = code.resource.as_deref().or(asked.resource);
        // Before the code is spent: a target that is none must not cost it.
        audience_for(&self.settings, resource)?;
        let now = self.give.clock.now();
        if code.spent_at.is_none() && code.expires_at <= now {
            return Err(wrong());
        }
        if !self.codes.spend(&hash, now).await? {
            self.reused(client, &code, origin).await?;
            return Err(wrong());
        }
        let (user, device) = self.give.approver(&code.approval).await?.ok_or_else(wrong)?;
        let session = self.give.next_session();
        let approved = Approved {
            session,
            kind: GrantType::AuthorizationCode,
            scopes: &code.scopes,
            resource,
            nonce: code.nonce.as_deref(),
            approval: &code.approval,
        };
        let tokens = self.give.run(client, (&user, device), approved, origin).await?;
        if self.codes.gave(&hash, session).await? {
            self.end(session).await?;
        }
        Ok(tokens)
    }

    async fn reused(&self, client: &Client, code: &AuthorizationCode, origin: &Origin) -> Result<(), OAuthError> {
        let given = self.codes.reuse(&code.hash, self.give.clock.now()).await?;
        tracing::warn!(event = "authorization_code_reused", client_id = %client.id, user_id = %code.approval.user);
        let entry = self.audit.entry(Actor::Client(client.id.clone()), origin, "code.reused", Outcome::Failure);
        entry.target("user", code.approval.user).detail("client_id", client.id.as_str()).write().await;
        match given {
            Some(session) => self.end(session).await,
            None => Ok(()),
        }
    }

    async fn end(&self, session: SessionId) -> Result<(), OAuthError> {
        let now = self.give.clock.now();
        let until = now + self.settings.access_ttl;
        let ended = self.give.sessions.revoke(session, "code_reused", now, until).await?;
        self.revocations.revoked(ended.as_slice());
        Ok(())
    }
}
