//! A client asks a user in the browser: who the user is, and whether the client may (RFC 6749 §4.1, OpenID Connect Core 1.0
//! §3.1). What is asked is kept here while the user logs in and decides; the browser carries only a reference.

use std::{collections::BTreeSet, sync::Arc};

use super::{AuthorizationParameters, Browser, OAuthCode, OAuthError, interactions::Interactions, secret::new_secret};
use crate::{
    kernel::{Clock, Random},
    modules::auth::{
        application::{
            Audit, AuthorizationCodeRepository, ClientRepository, ConsentRepository, Failure, Settings, TokenSigner,
        },
        domain::{
            Actor, AuthorizationCode, AuthorizationRequest, Client, ClientProof, InteractionKind, LoginState, Origin,
            Outcome,
        },
    },
};

/// The references that `request_uri` may hold (RFC 9126 §2.2).
pub(super) const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

/// What the browser is to see next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The page for logging in.
    LogIn { pending: String, client_name: String, hint: Option<String>, redirect_uri: String },
    /// The page that asks.
    Consent {
        pending: String,
        client_name: String,
        scopes: Vec<String>,
        account: String,
        email: String,
        redirect_uri: String,
    },
    /// The client, with its answer.
    Answer(String),
}

/// Why there is no next step, and nobody to tell but the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Who asks, or where the answer would go, is not known.
    Unanswerable(&'static str),
    /// What was left with us is gone: answered already, or too old.
    Gone,
    /// Anything else.
    Failed(Failure),
}

impl<T: Into<Failure>> From<T> for Refused {
    fn from(error: T) -> Self {
        Self::Failed(error.into())
    }
}

/// The use case.
#[derive(Clone)]
pub(crate) struct Authorize {
    pub(crate) clients: Arc<dyn ClientRepository>,
    pub(crate) consents: Arc<dyn ConsentRepository>,
    pub(crate) codes: Arc<dyn AuthorizationCodeRepository>,
    pub(crate) interactions: Interactions,
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl Authorize {
    /// Takes a request in, and says what happens first.
    pub(crate) async fn begin(
        &self,
        parameters: AuthorizationParameters,
        browser: Option<&Browser>,
    ) -> Result<Step, Refused> {
        let client_id =
            parameters.get("client_id").ok_or(Refused::Unanswerable("The application did not say who it is."))?;
        let unknown = Refused::Unanswerable("The application that sent you here is not known.");
        let client = self.clients.find(client_id).await?.ok_or(unknown)?;
        let pushed = parameters.get("request_uri").and_then(|uri| uri.strip_prefix(REQUEST_URI)).map(str::to_owned);
        let parameters = match &pushed {
            Some(reference) => self.pushed(&client, reference).await?,
            None => parameters,
        };
        let wrong = Refused::Unanswerable("The application wants you sent to an address that is not its own.");
        let redirect_uri = parameters.get("redirect_uri").filter(|uri| client.accepts_redirect(uri)).ok_or(wrong)?;
        let must_push = self.settings.oauth.require_pushed_requests || client.requires_pushed_requests;
        if pushed.is_none() && must_push {
            let error = OAuthError::invalid_request("authorization requests have to be pushed");
            return Ok(self.refuse(redirect_uri, parameters.get("state"), &error));
        }
        let rules = (&*self.settings, &*self.issuer);
        match parameters.read(&client, redirect_uri, rules, self.clock.now()) {
            Ok(request) => self.next(&client, &request, None, browser).await,
            Err(error) => Ok(self.refuse(redirect_uri, parameters.get("state"), &error)),
        }
    }

    /// Goes on with a request that was left with us: after a login, or a reload.
    pub(crate) async fn proceed(&self, pending: &str, browser: Option<&Browser>) -> Result<Step, Refused> {
        let (client, request) = self.pending(pending).await?;
        self.next(&client, &request, Some(pending), browser).await
    }

    /// The user said yes or no. `account` is whose page it was on.
    pub(crate) async fn decide(
        &self,
        pending: &str,
        browser: Option<&Browser>,
        account: &str,
        is_allowed: bool,
        origin: &Origin,
    ) -> Result<Step, Refused> {
        let (client, request) = self.pending(pending).await?;
        if !is_allowed {
            self.take(pending).await?;
            let error = OAuthError::new(OAuthCode::AccessDenied, "the user said no");
            return Ok(self.refuse(&request.redirect_uri, request.state.as_deref(), &error));
        }
        let Some(browser) = browser.filter(|browser| {
            // Somebody else may have logged in since the page was shown.
            browser.user.id.to_string() == account && self.login_of(&request, Some(browser)) == LoginState::Good
        }) else {
            return self.next(&client, &request, Some(pending), browser).await;
        };
        self.take(pending).await?;
        self.consents.grant(browser.user.id, &client.id, &request.scopes, self.clock.now()).await?;
        let entry = self.audit.entry(Actor::User(browser.user.id), origin, "consent.granted", Outcome::Success);
        entry.target("client", &client.id).detail("scope", request.scopes.join(" ")).write().await;
        self.answer(&request, browser).await
    }

    /// What a client pushed (RFC 9126 §4): it counts alone, and once.
    async fn pushed(&self, client: &Client, reference: &str) -> Result<AuthorizationParameters, Refused> {
        let left: Option<Vec<(String, String)>> =
            self.interactions.take(InteractionKind::PushedRequest, reference).await?;
        let parameters = left.map(AuthorizationParameters);
        let is_theirs = |asked: &AuthorizationParameters| asked.get("client_id") == Some(&client.id);
        let gone = "The request of the application was used already, or it has expired. Go back and try again.";
        parameters.filter(is_theirs).ok_or(Refused::Unanswerable(gone))
    }

    async fn pending(&self, pending: &str) -> Result<(Client, AuthorizationRequest), Refused> {
        let request: Option<AuthorizationRequest> =
            self.interactions.find(InteractionKind::Authorization, pending).await?;
        let request = request.ok_or(Refused::Gone)?;
        // The client may have changed, or gone, since.
        let client = self.clients.find(&request.client_id).await?;
        let client = client.filter(|client| client.accepts_redirect(&request.redirect_uri)).ok_or(Refused::Gone)?;
        Ok((client, request))
    }

    async fn take(&self, pending: &str) -> Result<(), Refused> {
        let taken: Option<AuthorizationRequest> =
            self.interactions.take(InteractionKind::Authorization, pending).await?;
        taken.map(drop).ok_or(Refused::Gone)
    }

    fn login_of(&self, request: &AuthorizationRequest, browser: Option<&Browser>) -> LoginState {
        let login = browser.map(|browser| (browser.user.id, browser.session.authenticated_at));
        request.look_at_login(login, self.clock.now())
    }

    async fn next(
        &self,
        client: &Client,
        request: &AuthorizationRequest,
        pending: Option<&str>,
        browser: Option<&Browser>,
    ) -> Result<Step, Refused> {
        let refuse = |code, text| {
            let error = OAuthError::new(code, text);
            Ok(self.refuse(&request.redirect_uri, request.state.as_deref(), &error))
        };
        match self.login_of(request, browser) {
            LoginState::WrongUser => return refuse(OAuthCode::LoginRequired, "another user logged in"),
            LoginState::Needed if request.is_silent() => {
                return refuse(OAuthCode::LoginRequired, "the user has to log in");
            }
            LoginState::Good | LoginState::Needed => {}
        }
        let known = browser.filter(|browser| self.login_of(request, Some(browser)) == LoginState::Good);
        let Some(browser) = known else {
            return Ok(Step::LogIn {
                pending: self.left(request, pending).await?,
                client_name: client.name.clone(),
                hint: request.login_hint.clone(),
                redirect_uri: request.redirect_uri.clone(),
            });
        };
        let remembered = self.consents.find(browser.user.id, &client.id).await?;
        let remembered = remembered.map_or_else(BTreeSet::new, |consent| consent.scopes);
        if request.needs_consent(&remembered, client.proof == ClientProof::Public) {
            if request.is_silent() {
                return refuse(OAuthCode::ConsentRequired, "the user has to be asked");
            }
            return Ok(Step::Consent {
                pending: self.left(request, pending).await?,
                client_name: client.name.clone(),
                scopes: request.scopes.clone(),
                account: browser.user.id.to_string(),
                email: browser.user.email.to_string(),
                redirect_uri: request.redirect_uri.clone(),
            });
        }
        if let Some(pending) = pending {
            self.take(pending).await?;
        }
        self.answer(request, browser).await
    }

    /// The reference of a request that waits for its user.
    async fn left(&self, request: &AuthorizationRequest, pending: Option<&str>) -> Result<String, Refused> {
        if let Some(pending) = pending {
            return Ok(pending.to_owned());
        }
        let lifetime = self.settings.oauth.interaction_ttl;
        Ok(self.interactions.leave(InteractionKind::Authorization, request, lifetime).await?)
    }

    async fn answer(&self, request: &AuthorizationRequest, browser: &Browser) -> Result<Step, Refused> {
        let (now, code) = (self.clock.now(), new_secret(&*self.random));
        let kept = AuthorizationCode {
            hash: self.issuer.digest(&code),
            client_id: request.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            scopes: request.scopes.clone(),
            nonce: request.nonce.clone(),
            resource: request.resource.clone(),
            approval: browser.approval(),
            created_at: now,
            expires_at: now + self.settings.oauth.code_ttl,
            spent_at: None,
            session: None,
        };
        self.codes.keep(&kept).await?;
        tracing::info!(
            event = "authorization_code_given", user_id = %browser.user.id, client_id = %request.client_id,
            session_id = %browser.session.id,
        );
        Ok(self.redirect(&request.redirect_uri, &[("code", &code)], request.state.as_deref()))
    }

    fn refuse(&self, redirect_uri: &str, state: Option<&str>, error: &OAuthError) -> Step {
        let said = [("error", error.code.as_str()), ("error_description", error.description.as_str())];
        self.redirect(redirect_uri, &said, state)
    }

    /// An answer names its issuer, so that a client of several is not confused (RFC 9207).
    fn redirect(&self, redirect_uri: &str, said: &[(&str, &str)], state: Option<&str>) -> Step {
        let mut parameters = said.to_vec();
        parameters.extend(state.map(|state| ("state", state)));
        parameters.push(("iss", &self.settings.issuer));
        Step::Answer(AuthorizationRequest::answer(redirect_uri, &parameters))
    }
}
