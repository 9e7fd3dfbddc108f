//! `AuthApi` over HTTP, for when the role runs elsewhere.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Deserialize, Serialize};

use super::api::{AuthApi, AuthError, Revocations};
use crate::kernel::{ErrorKind, SessionId, StartError};

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// How large an answer may be.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A stretch of the revocation feed on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RevocationsBody {
    pub(super) sessions: Vec<RevokedBody>,
    pub(super) cursor: String,
}

/// One revoked session on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RevokedBody {
    pub(super) id: SessionId,
    pub(super) until: chrono::DateTime<chrono::Utc>,
}

struct RemoteAuth {
    base: String,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// The `auth` role at a base URL such as `http://auth:8001`; nothing is connected yet.
pub fn remote(base_url: &str) -> Result<Arc<dyn AuthApi>, StartError> {
    let base = base_url.trim_end_matches('/').to_owned();
    let is_url = base.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.authority().is_some());
    if !is_url {
        let fault = crate::kernel::SettingFault::new("services.auth", "expected a URL such as \"http://auth:8001\"");
        return Err(StartError::Settings(vec![fault]));
    }
    let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(4).build(connector);
    Ok(Arc::new(RemoteAuth { base, client }))
}

impl RemoteAuth {
    async fn get(&self, path_and_query: &str) -> Result<Bytes, AuthError> {
        let call = async {
            let uri = format!("{}{path_and_query}", self.base).parse::<http::Uri>().map_err(|e| e.to_string())?;
            let response = self.client.get(uri).await.map_err(|error| error.to_string())?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|e| e.to_string())?;
            if status == http::StatusCode::OK { Ok(body.to_bytes()) } else { Err(format!("it answered {status}")) }
        };
        match tokio::time::timeout(DEADLINE, call).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(why)) => Err(unavailable(&why)),
            Err(_) => Err(AuthError { kind: ErrorKind::Timeout, detail: "the auth role did not answer".to_owned() }),
        }
    }
}

fn unavailable(why: &str) -> AuthError {
    AuthError { kind: ErrorKind::Unavailable, detail: format!("the auth role cannot be asked: {why}") }
}

#[async_trait]
impl AuthApi for RemoteAuth {
    async fn verification_keys(&self) -> Result<String, AuthError> {
        let body = self.get("/.well-known/jwks.json").await?;
        String::from_utf8(body.to_vec()).map_err(|_| unavailable("its keys are no text"))
    }

    async fn revocations(&self, after: Option<String>, wait: Duration) -> Result<Revocations, AuthError> {
        let is_plain = |cursor: &String| cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let after = after.filter(is_plain);
        let query = after.map(|cursor| format!("?after={cursor}&wait_ms={}", wait.as_millis())).unwrap_or_default();
        let body = self.get(&format!("/internal/auth/revocations{query}")).await?;
        let body: RevocationsBody = serde_json::from_slice(&body).map_err(|error| unavailable(&error.to_string()))?;
        let sessions = body.sessions.into_iter().map(|revoked| (revoked.id, revoked.until)).collect();
        Ok(Revocations { sessions, cursor: body.cursor })
    }
}
