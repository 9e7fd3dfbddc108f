//! A client sends its authorization request ahead, and the browser brings only a reference (RFC 9126).

use std::sync::Arc;

use super::{AuthorizationParameters, OAuthError, authorize::REQUEST_URI, interactions::Interactions};
use crate::{
    kernel::Clock,
    modules::auth::{
        application::{Settings, TokenSigner},
        domain::{Client, InteractionKind},
    },
};

/// What shows who the client is; it is not part of what is asked of the user.
const PROOFS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// The use case.
#[derive(Clone)]
pub(crate) struct PushRequest {
    pub(crate) interactions: Interactions,
    pub(crate) issuer: Arc<dyn TokenSigner>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

impl PushRequest {
    /// Keeps a request that is good now; the answer is its `request_uri` and for how many seconds that is good.
    pub(crate) async fn run(
        &self,
        client: &Client,
        parameters: AuthorizationParameters,
    ) -> Result<(String, i64), OAuthError> {
        let redirect_uri = parameters.get("redirect_uri").filter(|uri| client.accepts_redirect(uri));
        let redirect_uri =
            redirect_uri.ok_or_else(|| OAuthError::invalid_request("redirect_uri: missing, or not registered"))?;
        if parameters.get("request_uri").is_some() {
            return Err(OAuthError::invalid_request("request_uri: not in a pushed request"));
        }
        let rules = (&*self.settings, &*self.issuer);
        parameters.read(client, redirect_uri, rules, self.clock.now())?;
        let mut pairs = parameters.0;
        pairs.retain(|(name, _)| !PROOFS.contains(&name.as_str()) && name != "client_id");
        pairs.push(("client_id".to_owned(), client.id.clone()));
        let lifetime = self.settings.oauth.pushed_request_ttl;
        let reference = self.interactions.leave(InteractionKind::PushedRequest, &pairs, lifetime).await?;
        Ok((format!("{REQUEST_URI}{reference}"), lifetime.num_seconds()))
    }
}
