//! Who asks: the bearer token or the API key of a request, verified once, kept with the request. In one process the gateway and the role
//! behind it share the answer; in two, each verifies for itself, so that no role has to trust a header.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};

use super::{
    api_keys::{ApiKeys, X_API_KEY},
    problem::{FORBIDDEN, Problem, ProblemType, UNAUTHENTICATED, UNAVAILABLE},
};
use crate::{
    kernel::{API_KEY_PREFIX, Principal, UserId},
    platform::tokens::{TokenFault, TokenVerifier},
};

/// The outcome of looking at a request's credentials.
#[derive(Debug, Clone)]
pub enum Identity {
    /// No credentials.
    Anonymous,
    /// A valid access token, or a valid API key.
    Known(Arc<Principal>),
    /// Credentials that are not valid, or that cannot be checked.
    Refused(TokenFault),
}

/// Revocations cannot be checked.
pub const REVOCATION_UNAVAILABLE: ProblemType = ProblemType {
    code: "revocation-unavailable",
    status: 503,
    title: "Revocations cannot be checked",
    about: "The service does not know recently enough which tokens were revoked, so it accepts none. Try again after `Retry-After`.",
};

/// The problems of this file.
pub const PROBLEMS: &[&ProblemType] = &[&REVOCATION_UNAVAILABLE];

/// What a request shows to say who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// Nothing that is ours to judge.
    None,
    /// A bearer token.
    Token(&'a str),
    /// An API key.
    ApiKey(&'a str),
    /// More than one thing, or nothing that can be read.
    Unclear(&'static str),
}

/// The credentials among the headers. More than one is none (RFC 6750 §2).
pub fn credentials(headers: &HeaderMap) -> Credentials<'_> {
    let (mut authorizations, mut keys) = (headers.get_all(AUTHORIZATION), headers.get_all(X_API_KEY));
    let (authorization, key) = (authorizations.next(), keys.next());
    if authorizations.next().is_some() {
        return Credentials::Unclear("more than one Authorization header");
    }
    if keys.next().is_some() {
        return Credentials::Unclear("more than one X-Api-Key header");
    }
    // Another scheme, such as Basic at the token endpoint, is not ours to judge.
    let token = authorization.and_then(bearer);
    match (token, key.map(|key| key.to_str().map_err(drop))) {
        // What is no key of ours may be meant for somebody else; it goes no further, and a token says who it is.
        (Some(token), Some(key)) if !key.is_ok_and(|key| key.starts_with(API_KEY_PREFIX)) => Credentials::Token(token),
        (Some(_), Some(_)) => Credentials::Unclear("an access token and an API key at once"),
        (None, Some(Err(()))) => Credentials::Unclear("the API key is malformed"),
        (None, Some(Ok(key))) => Credentials::ApiKey(key.trim()),
        (Some(token), None) => Credentials::Token(token),
        (None, None) => Credentials::None,
    }
}

/// Judges the credentials among the headers.
pub async fn authenticate(headers: &HeaderMap, tokens: &TokenVerifier, keys: &ApiKeys) -> Identity {
    let judged = match credentials(headers) {
        Credentials::None => return Identity::Anonymous,
        Credentials::Token(token) => tokens.verify(token),
        // In a box: tokens are many, and need none of it.
        Credentials::ApiKey(key) => Box::pin(keys.verify(key)).await,
        Credentials::Unclear(why) => Err(TokenFault::Invalid(why)),
    };
    judged.map_or_else(Identity::Refused, Identity::Known)
}

/// Looks at the request's credentials, once a request.
pub fn identify(request: &HttpRequest) -> Identity {
    if let Some(identity) = request.extensions().get::<Identity>() {
        return identity.clone();
    }
    let Some(verifier) = request.app_data::<Arc<TokenVerifier>>() else {
        return Identity::Refused(TokenFault::KeysUnavailable);
    };
    let identity = match credentials(request.headers()) {
        Credentials::None => Identity::Anonymous,
        Credentials::Token(token) => verifier.verify(token).map_or_else(Identity::Refused, Identity::Known),
        // A valid one was found so by the middleware around the routes.
        Credentials::ApiKey(_) => Identity::Refused(TokenFault::ApiKeyUnchecked),
        Credentials::Unclear(why) => Identity::Refused(TokenFault::Invalid(why)),
    };
    request.extensions_mut().insert(identity.clone());
    identity
}

/// The token of `Bearer <token>` (RFC 6750 §2.1); the scheme in any case.
pub fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The problem for a request whose credentials are missing or were refused.
pub fn refusal(fault: Option<&TokenFault>) -> Problem {
    match fault {
        None => challenge(Problem::new(&UNAUTHENTICATED, "no access token or API key was sent"), "Bearer"),
        Some(TokenFault::Invalid(why)) => {
            let header = format!("Bearer error=\"invalid_token\", error_description=\"{why}\"");
            challenge(Problem::new(&UNAUTHENTICATED, *why), &header)
        }
        Some(TokenFault::KeysUnavailable) => Problem::new(&UNAVAILABLE, "the verification keys are not known yet")
            .retry_after(std::time::Duration::from_secs(1)),
        Some(TokenFault::ApiKeyUnchecked) => Problem::new(&UNAVAILABLE, "the API key cannot be checked at the moment")
            .retry_after(std::time::Duration::from_secs(1)),
        Some(TokenFault::RevocationsStale) => {
            Problem::new(&REVOCATION_UNAVAILABLE, "what is known of revocations is too old")
                .retry_after(std::time::Duration::from_secs(1))
        }
    }
}

/// The problem for a caller who is known but may not (RFC 6750 §3.1).
pub fn forbidden(needed_scope: &str) -> Problem {
    let header = format!("Bearer error=\"insufficient_scope\", scope=\"{needed_scope}\"");
    challenge(Problem::new(&FORBIDDEN, format!("this needs {needed_scope}")), &header)
}

fn challenge(problem: Problem, header: &str) -> Problem {
    let value = HeaderValue::from_str(header).unwrap_or(HeaderValue::from_static("Bearer"));
    problem.with_header(WWW_AUTHENTICATE, value)
}

/// A handler's caller; without a valid token the handler does not run.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<Principal>);

impl Caller {
    /// Refuses the caller unless the token carries this permission.
    pub fn must(&self, permission: &str) -> Result<(), Problem> {
        if self.0.may(permission) { Ok(()) } else { Err(forbidden(permission)) }
    }

    /// The user who calls; a client that speaks for itself is refused.
    pub fn user(&self) -> Result<UserId, Problem> {
        self.0.user().ok_or_else(|| Problem::new(&FORBIDDEN, "this needs the token of a user"))
    }

    /// The user who calls, logged in with us directly: what an account's owner alone may do is not for the clients that the
    /// owner let in, nor for API keys.
    pub fn owner(&self) -> Result<UserId, Problem> {
        let user = self.user()?;
        let refused = || Problem::new(&FORBIDDEN, "this needs a token of a login with address and password");
        self.0.is_first_party().then_some(user).ok_or_else(refused)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match identify(request) {
            Identity::Known(principal) => Ok(Self(principal)),
            Identity::Anonymous => Err(refusal(None)),
            Identity::Refused(fault) => Err(refusal(Some(&fault))),
        })
    }
}
