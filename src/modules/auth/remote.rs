//! `AuthApi` over HTTP, for when the role runs elsewhere.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::Full;
use serde::{Deserialize, Serialize};

use super::api::{AuthApi, AuthError, Revocations};
use crate::{
    kernel::{API_KEY_CLIENT, ErrorKind, Principal, Role, SessionId, SettingFault, StartError, Subject, UserId},
    platform::{
        http::client::{ClientFault, HttpClient},
        siblings::{ASSERTION, SiblingSigner},
    },
};

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// How large an answer may be.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A stretch of the revocation feed on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RevocationsBody {
    pub(super) sessions: Vec<RevokedBody>,
    pub(super) cursor: String,
    #[serde(default)]
    pub(super) keys: String,
}

/// One revoked session on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RevokedBody {
    pub(super) id: SessionId,
    pub(super) until: DateTime<Utc>,
}

/// Whom an API key stands for, on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ApiKeyBody {
    pub(super) principal: Option<PrincipalBody>,
}

/// The owner of an API key, as far as the key goes, on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PrincipalBody {
    pub(super) key_id: SessionId,
    pub(super) user_id: UserId,
    pub(super) email: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) scopes: Vec<String>,
    /// Absent: never.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl PrincipalBody {
    fn read(self) -> Principal {
        Principal {
            subject: Subject::User(self.user_id),
            session_id: self.key_id,
            client_id: API_KEY_CLIENT.to_owned(),
            email: self.email,
            roles: self.roles,
            scopes: self.scopes,
            expires_at: self.expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

struct RemoteAuth {
    base: String,
    client: HttpClient,
    signer: Option<SiblingSigner>,
}

/// The `auth` role at a base URL such as `http://auth:8001`; nothing is connected yet. With a signer the role is told that
/// a process of its own installation asks.
pub fn remote(base_url: &str, signer: Option<SiblingSigner>) -> Result<Arc<dyn AuthApi>, StartError> {
    let base = base_url.trim_end_matches('/').to_owned();
    let is_url = base.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.authority().is_some());
    if !is_url {
        let fault = SettingFault::new("services.auth", "expected a URL such as \"http://auth:8001\"");
        return Err(StartError::Settings(vec![fault]));
    }
    Ok(Arc::new(RemoteAuth { base, client: HttpClient::new(CONNECT_TIMEOUT), signer }))
}

impl RemoteAuth {
    async fn get(&self, path_and_query: &str) -> Result<Vec<u8>, AuthError> {
        let mut request = http::Request::get(format!("{}{path_and_query}", self.base));
        let sign = |signer: &SiblingSigner| signer.sign(Role::Auth.as_str(), "GET", path_and_query, None);
        if let Some(assertion) = self.signer.as_ref().and_then(sign) {
            request = request.header(ASSERTION, assertion);
        }
        let request = request.body(Full::<Bytes>::default());
        let request = request.map_err(|error| unavailable(&error.to_string()))?;
        let answer = self.client.fetch(request, DEADLINE, MAX_ANSWER).await.map_err(|fault| match fault {
            ClientFault::Timeout => {
                AuthError { kind: ErrorKind::Timeout, detail: "the auth role did not answer".into() }
            }
            fault => unavailable(&fault.to_string()),
        })?;
        if answer.status != http::StatusCode::OK {
            return Err(unavailable(&format!("it answered {}", answer.status)));
        }
        Ok(answer.body)
    }
}

fn unavailable(why: &str) -> AuthError {
    AuthError { kind: ErrorKind::Unavailable, detail: format!("the auth role cannot be asked: {why}") }
}

#[async_trait]
impl AuthApi for RemoteAuth {
    async fn verification_keys(&self) -> Result<String, AuthError> {
        let body = self.get("/.well-known/jwks.json").await?;
        String::from_utf8(body).map_err(|_| unavailable("its keys are no text"))
    }

    async fn revocations(&self, after: Option<String>, wait: Duration) -> Result<Revocations, AuthError> {
        let is_plain = |cursor: &String| cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let after = after.filter(is_plain);
        let query = after.map(|cursor| format!("?after={cursor}&wait_ms={}", wait.as_millis())).unwrap_or_default();
        let body = self.get(&format!("/internal/auth/revocations{query}")).await?;
        let body: RevocationsBody = serde_json::from_slice(&body).map_err(|error| unavailable(&error.to_string()))?;
        let sessions = body.sessions.into_iter().map(|revoked| (revoked.id, revoked.until)).collect();
        Ok(Revocations { sessions, cursor: body.cursor, keys: body.keys })
    }

    async fn api_key(&self, digest: &str) -> Result<Option<Principal>, AuthError> {
        let body = self.get(&format!("/internal/auth/api-keys/{digest}")).await?;
        let body: ApiKeyBody = serde_json::from_slice(&body).map_err(|error| unavailable(&error.to_string()))?;
        Ok(body.principal.map(PrincipalBody::read))
    }
}
