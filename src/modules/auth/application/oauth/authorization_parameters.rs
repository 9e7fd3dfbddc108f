//! Reads what a client asks of a user. First who asks and where the answer goes; until both are known to belong together
//! nothing is sent anywhere (RFC 6749 §4.1.2.1).

use chrono::{DateTime, Utc};

use super::{OAuthCode, OAuthError, audience_for};
use crate::modules::auth::{
    application::{Settings, TokenSigner},
    domain::{AuthorizationRequest, Client, CodeChallenge, GrantType, Prompt},
};

/// The longest value of a parameter that we keep or send back.
const MAX_LENGTH: usize = 2_000;

/// The parameters of an authorization request, as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthorizationParameters(pub(crate) Vec<(String, String)>);

impl AuthorizationParameters {
    /// A parameter that is there once, and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        values.next().filter(|value| !value.is_empty() && values.next().is_none())
    }

    fn has_repeats(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// The request, once client and redirect URI are known to belong together.
    pub(super) fn read(
        &self,
        client: &Client,
        redirect_uri: &str,
        rules: (&Settings, &dyn TokenSigner),
        now: DateTime<Utc>,
    ) -> Result<AuthorizationRequest, OAuthError> {
        let (settings, issuer) = rules;
        let fault = |code, text: &str| OAuthError::new(code, text);
        let wrong = |detail: String| OAuthError::invalid_request(detail);
        if self.has_repeats() {
            return Err(wrong("a parameter is there more than once".to_owned()));
        }
        if self.0.iter().any(|(_, value)| value.len() > MAX_LENGTH) {
            return Err(wrong("a parameter is too long".to_owned()));
        }
        if self.get("request").is_some() {
            return Err(fault(OAuthCode::RequestNotSupported, "request objects are not taken"));
        }
        if self.get("request_uri").is_some() {
            return Err(fault(OAuthCode::RequestUriNotSupported, "only request URIs of pushed requests are taken"));
        }
        match self.get("response_type") {
            Some("code") => {}
            Some(_) => return Err(fault(OAuthCode::UnsupportedResponseType, "response_type: only code")),
            None => return Err(wrong("response_type is missing".to_owned())),
        }
        if !client.may_use(GrantType::AuthorizationCode) {
            return Err(fault(OAuthCode::UnauthorizedClient, "the client may not use this grant"));
        }
        if self.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(wrong("response_mode: only query".to_owned()));
        }
        let challenge = self.get("code_challenge").ok_or_else(|| wrong("code_challenge is missing".to_owned()))?;
        if self.get("code_challenge_method") != Some("S256") {
            return Err(wrong("code_challenge_method: only S256".to_owned()));
        }
        let scopes = client.scopes_for(self.get("scope")).map_err(|f| fault(OAuthCode::InvalidScope, &f.detail))?;
        let resource = self.get("resource");
        audience_for(settings, resource)?;
        let max_age = self.get("max_age").map(str::parse).transpose();
        let hint = self.get("id_token_hint").map(|hint| issuer.read_id_token(hint).ok_or(hint)).transpose();
        Ok(AuthorizationRequest {
            client_id: client.id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            state: self.get("state").map(str::to_owned),
            scopes: scopes.names().map(str::to_owned).collect(),
            challenge: CodeChallenge::parse(challenge).map_err(|fault| wrong(fault.detail))?,
            nonce: self.get("nonce").map(str::to_owned),
            max_age: max_age.map_err(|_| wrong("max_age: expected seconds".to_owned()))?,
            prompts: Prompt::parse_all(self.get("prompt").unwrap_or_default()).map_err(|f| wrong(f.detail))?,
            login_hint: self.get("login_hint").map(str::to_owned),
            hinted_user: hint.map_err(|_| wrong("id_token_hint: not an id_token of ours".to_owned()))?.map(|h| h.user),
            resource: resource.map(str::to_owned),
            asked_at: now,
        })
    }
}
