//! API keys as every role judges them: `auth` is asked, its answer is remembered for a moment, and forgotten as soon as the
//! revocation feed names the key. While `auth` cannot be asked nothing is accepted that is not remembered.

use std::{
    future::{Ready, ready},
    pin::Pin,
    rc::Rc,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    Error, HttpMessage as _,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    http::header::HeaderName,
};
use async_trait::async_trait;
use aws_lc_rs::digest;
use futures_util::future::Either;
use moka::future::Cache;
use tokio::sync::Semaphore;

use super::{
    authentication::{Identity, authenticate},
    context::push_hex,
};
use crate::{
    kernel::{API_KEY_PREFIX, Clock, Principal},
    platform::tokens::{TokenFault, TokenVerifier},
};

/// `X-Api-Key`
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// After the prefix: 32 random bytes and 4 of a checksum, in hexadecimal.
const SECRET_DIGITS: usize = 64;
const CHECKSUM_DIGITS: usize = 8;
/// How long an answer is remembered; well below the minute for which a stopped key is in the revocation feed.
const REMEMBERED_FOR: Duration = Duration::from_secs(3);
/// How many keys are remembered, known and unknown ones.
const REMEMBERED_KEYS: u64 = 10_000;
/// How many questions may be under way.
const ASKING: usize = 64;
/// For one question, waiting for its turn included.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Who knows the keys.
#[async_trait]
pub trait ApiKeySource: Send + Sync {
    /// Whom the key with this digest stands for; `None` for one that is not valid. The error says why it cannot be told.
    async fn find(&self, digest: &str) -> Result<Option<Principal>, String>;
}

/// Judges API keys.
pub struct ApiKeys {
    source: OnceLock<Arc<dyn ApiKeySource>>,
    tokens: Arc<TokenVerifier>,
    clock: Arc<dyn Clock>,
    remembered: Cache<Box<str>, Option<Arc<Principal>>>,
    asking: Semaphore,
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeys").finish_non_exhaustive()
    }
}

impl ApiKeys {
    /// With nobody to ask yet. Which keys stopped working is learnt from the verifier's revocations.
    pub fn new(tokens: Arc<TokenVerifier>, clock: Arc<dyn Clock>) -> Self {
        let remembered = Cache::builder().max_capacity(REMEMBERED_KEYS).time_to_live(REMEMBERED_FOR).build();
        Self { source: OnceLock::new(), tokens, clock, remembered, asking: Semaphore::new(ASKING) }
    }

    /// Says whom to ask; only the first word counts.
    pub fn ask(&self, source: Arc<dyn ApiKeySource>) {
        let _ = self.source.set(source);
    }

    /// Whether the key can be judged without asking.
    pub async fn remembers(&self, key: &str) -> bool {
        match digest_of(key) {
            Some(digest) => self.recall(&digest).await.is_some(),
            None => true,
        }
    }

    /// Whom a valid key stands for.
    pub async fn verify(&self, key: &str) -> Result<Arc<Principal>, TokenFault> {
        let digest = digest_of(key).ok_or(TokenFault::Invalid("the API key is malformed"))?;
        let recalled = self.recall(&digest).await;
        let result = if recalled.is_some() { "hit" } else { "miss" };
        metrics::counter!("cache_operations_total", "cache" => "api_keys", "result" => result).increment(1);
        let known = if let Some(known) = recalled {
            known
        } else {
            let asked = self.remembered.try_get_with(digest.as_str().into(), self.answer(&digest)).await;
            asked.map_err(|why: Arc<String>| {
                tracing::warn!(event = "api_key_not_checked", %why);
                TokenFault::ApiKeyUnchecked
            })?
        };
        let principal = known.ok_or(TokenFault::Invalid("the API key is not valid, or no longer"))?;
        if principal.expires_at <= self.clock.now() {
            return Err(TokenFault::Invalid("the API key has expired"));
        }
        Ok(principal)
    }

    /// What is remembered of a key. An answer from before the key was named in the revocation feed is forgotten.
    async fn recall(&self, digest: &str) -> Option<Option<Arc<Principal>>> {
        let remembered = self.remembered.get(digest).await?;
        let is_old = |principal: &Arc<Principal>| self.tokens.revocations().contains(principal.session_id);
        if remembered.as_ref().is_some_and(is_old) {
            self.remembered.invalidate(digest).await;
            return None;
        }
        Some(remembered)
    }

    async fn answer(&self, digest: &str) -> Result<Option<Arc<Principal>>, String> {
        let source = self.source.get().ok_or("there is nobody to ask")?;
        let ask = async {
            let _turn = self.asking.acquire().await.map_err(|error| error.to_string())?;
            source.find(digest).await
        };
        let answer = tokio::time::timeout(ANSWER_WITHIN, ask).await;
        Ok(answer.map_err(|_| "no answer in time")??.map(Arc::new))
    }
}

/// SHA-256 of a key in hexadecimal; `None` for a text that is no key of ours.
fn digest_of(key: &str) -> Option<String> {
    let digits = key.strip_prefix(API_KEY_PREFIX)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if digits.len() != SECRET_DIGITS + CHECKSUM_DIGITS || !is_hex {
        return None;
    }
    let (body, checksum) = key.split_at(key.len() - CHECKSUM_DIGITS);
    sha256(body).starts_with(checksum).then(|| sha256(key))
}

fn sha256(text: &str) -> String {
    let mut hex = Vec::with_capacity(64);
    push_hex(&mut hex, digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    String::from_utf8(hex).unwrap_or_default()
}

/// Middleware around a role's routes: a request with an API key finds its identity known. Requests without one pass as they
/// came, and so do those whose identity the gateway has found already.
#[derive(Debug, Clone)]
pub struct IdentifyApiKeys {
    /// Judges tokens.
    pub tokens: Arc<TokenVerifier>,
    /// Judges keys.
    pub keys: Arc<ApiKeys>,
}

impl<S, B> Transform<S, ServiceRequest> for IdentifyApiKeys
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type InitError = ();
    type Transform = IdentifyingService<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(IdentifyingService { inner: Rc::new(service), parts: self.clone() }))
    }
}

/// [`IdentifyApiKeys`] around a service.
pub struct IdentifyingService<S> {
    inner: Rc<S>,
    parts: IdentifyApiKeys,
}

impl<S, B> Service<ServiceRequest> for IdentifyingService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let is_known = request.extensions().contains::<Identity>();
        if is_known || !request.headers().contains_key(X_API_KEY) {
            return Either::Left(self.inner.call(request));
        }
        let (inner, IdentifyApiKeys { tokens, keys }) = (self.inner.clone(), self.parts.clone());
        Either::Right(Box::pin(async move {
            let identity = authenticate(request.headers(), &tokens, &keys).await;
            request.extensions_mut().insert(identity);
            inner.call(request).await
        }))
    }
}

#[cfg(test)]
mod tests;
