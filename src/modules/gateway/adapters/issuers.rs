//! Other issuers whose tokens routes take: their keys, fetched in the background, and which of them a route takes.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

use crate::{
    kernel::{Clock, Principal},
    modules::gateway::config::IssuerConfig,
    platform::{
        http::client::{HttpClient, is_forbidden_host},
        json,
        tokens::{ForeignFault, ForeignRules, ForeignVerifier, KeyRing, TokenFault, TokenVerifier, claimed_issuer},
    },
};

/// A pause after the first failed fetch; doubled each time up to the cool-down.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const UNKNOWN_KEY: TokenFault = TokenFault::Invalid("the token's key is not known");

/// One issuer: its verifier, and the task that keeps it supplied as long as somebody holds this.
pub(super) struct Issuer {
    /// As it was configured, to be compared with.
    pub(super) config: IssuerConfig,
    inner: Arc<Inner>,
    task: OnceLock<AbortHandle>,
}

struct Inner {
    config: IssuerConfig,
    verifier: ForeignVerifier,
    client: HttpClient,
    /// Somebody met a key that is not known.
    wanted: Notify,
    /// How many fetches ended, and when the last one did.
    fetched: watch::Sender<(u64, Option<Instant>)>,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Issuer {
    /// An issuer whose keys are not known yet.
    pub(super) fn new(config: &IssuerConfig, clock: &Arc<dyn Clock>) -> Self {
        let rules = ForeignRules {
            name: config.name.clone(),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            algorithms: config.algorithms.clone(),
            roles_claim: config.roles_claim.clone(),
            scopes_claim: config.scopes_claim.clone(),
            keys_max_age: config.max_age.get(),
        };
        let inner = Inner {
            config: config.clone(),
            verifier: ForeignVerifier::new(rules, clock.clone()),
            client: HttpClient::new(config.timeout.get()),
            wanted: Notify::new(),
            fetched: watch::Sender::new((0, None)),
        };
        Self { config: config.clone(), inner: Arc::new(inner), task: OnceLock::new() }
    }

    /// Begins to fetch the keys, unless that has begun. Must be called within a runtime.
    pub(super) fn begin(&self) {
        self.task.get_or_init(|| tokio::spawn(keep_supplied(self.inner.clone())).abort_handle());
    }

    /// Whether this very token was verified before.
    pub(super) fn remembers(&self, token: &str) -> bool {
        self.inner.verifier.remembers(token)
    }

    /// Judges a token. One with an unknown key waits for the keys to be fetched, where that may be done again already.
    pub(super) async fn verify(&self, token: &str) -> Result<Arc<Principal>, TokenFault> {
        match self.inner.verifier.verify(token) {
            Ok(principal) => return Ok(principal),
            Err(ForeignFault::Token(fault)) => return Err(fault),
            Err(ForeignFault::UnknownKey) => {}
        }
        if !self.inner.fetch_again().await {
            return Err(UNKNOWN_KEY);
        }
        self.inner.verifier.verify(token).map_err(|fault| match fault {
            ForeignFault::Token(fault) => fault,
            ForeignFault::UnknownKey => UNKNOWN_KEY,
        })
    }
}

impl Inner {
    /// Waits for a fetch that begins now or is under way; `false` within the cool-down of the last one.
    async fn fetch_again(&self) -> bool {
        let mut fetched = self.fetched.subscribe();
        let (_, last) = *fetched.borrow_and_update();
        if last.is_some_and(|last| last.elapsed() < self.config.cooldown.get()) {
            return false;
        }
        self.wanted.notify_one();
        tokio::time::timeout(self.config.timeout.get(), fetched.changed()).await.is_ok()
    }

    /// Fetches the keys once; gives their text.
    async fn fetch(&self) -> Result<String, String> {
        let fetch = async {
            let url = match &self.config.jwks_url {
                Some(url) => url.clone(),
                None => self.discover().await?,
            };
            self.get(&url).await
        };
        let fetched = tokio::time::timeout(self.config.timeout.get(), fetch).await;
        let body = fetched.map_err(|_| "no answer in time".to_owned())??;
        String::from_utf8(body).map_err(|_| "the keys are no text".to_owned())
    }

    /// Where the issuer says that its keys are (OpenID Connect Discovery §4).
    async fn discover(&self) -> Result<String, String> {
        let base = self.config.issuer.trim_end_matches('/');
        let body = self.get(&format!("{base}/.well-known/openid-configuration")).await?;
        let document = json::parse(&body).map_err(|_| "the issuer's configuration is no JSON".to_owned())?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(&self.config.issuer) {
            return Err("the issuer's configuration is one of another issuer".to_owned());
        }
        let url = text("jwks_uri").filter(|url| is_fetchable(url));
        url.map(str::to_owned).ok_or_else(|| "the issuer's configuration names no https address of keys".to_owned())
    }

    /// What is at an address. A redirect is an answer like any other that is not 200.
    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let request = Request::get(url)
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::USER_AGENT, concat!("vestibule/", env!("CARGO_PKG_VERSION")))
            .body(Full::<Bytes>::default())
            .map_err(|error| error.to_string())?;
        let limit = self.config.body_limit.as_usize();
        let answer = self.client.fetch(request, self.config.timeout.get(), limit).await;
        let answer = answer.map_err(|fault| format!("{url}: {fault}"))?;
        if answer.status != http::StatusCode::OK {
            return Err(format!("{url}: answered {}", answer.status.as_u16()));
        }
        Ok(answer.body)
    }
}

/// Fetches the keys now, as often as configured, and when somebody meets one that is not known.
async fn keep_supplied(inner: Arc<Inner>) {
    let name = inner.config.name.as_str();
    let (refresh, cooldown) = (inner.config.refresh.get(), inner.config.cooldown.get());
    let (mut known, mut pause) = (None, FIRST_PAUSE);
    loop {
        let outcome = inner.fetch().await.and_then(|text| Ok((KeyRing::from_jwks(&text)?, text)));
        let failed = match outcome {
            Ok((keys, _)) if keys.is_empty() => Some("there is no key that can be used".to_owned()),
            Ok((keys, text)) => {
                let as_before = known.as_ref() == Some(&text);
                inner.verifier.set_keys(keys, as_before);
                if !as_before {
                    tracing::info!(event = "issuer_keys_learnt", issuer = name);
                }
                known = Some(text);
                None
            }
            Err(why) => Some(why),
        };
        let outcome = if failed.is_some() { "failure" } else { "success" };
        metrics::counter!("issuer_key_fetches_total", "issuer" => name.to_owned(), "outcome" => outcome).increment(1);
        inner.fetched.send_modify(|(count, last)| {
            *count += 1;
            *last = Some(Instant::now());
        });
        let wait = match failed {
            None => {
                pause = FIRST_PAUSE;
                refresh
            }
            Some(why) => {
                tracing::warn!(event = "issuer_keys_not_fetched", issuer = name, %why);
                let wait = pause.min(cooldown);
                pause = pause.saturating_mul(2);
                wait
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = inner.wanted.notified() => {}
        }
    }
}

/// Whose tokens a route takes, where that is not ours alone.
#[derive(Debug)]
pub(super) struct Acceptance {
    /// Ours too, and API keys.
    pub(super) own: bool,
    pub(super) others: Vec<Arc<Issuer>>,
}

impl Acceptance {
    /// The issuer that a token says it is from; `None`: ours, or nobody's that the route takes.
    fn issuer_of(&self, token: &str) -> Option<&Issuer> {
        let claimed = claimed_issuer(token)?;
        self.others.iter().map(|issuer| &**issuer).find(|issuer| issuer.config.issuer == claimed)
    }

    /// Whether this very token was verified before.
    pub(super) fn remembers(&self, token: &str, own: &TokenVerifier) -> bool {
        self.others.iter().any(|issuer| issuer.remembers(token)) || (self.own && own.remembers(token))
    }

    /// Judges a token.
    pub(super) async fn verify(&self, token: &str, own: &TokenVerifier) -> Result<Arc<Principal>, TokenFault> {
        match self.issuer_of(token) {
            Some(issuer) => issuer.verify(token).await,
            None if self.own => own.verify(token),
            None => Err(TokenFault::Invalid("the token is from an issuer that is not taken here")),
        }
    }
}

/// Whether keys may be fetched from there: by https, or on this very machine.
pub(super) fn is_fetchable(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    let is_secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_here,
        _ => false,
    };
    is_plain && is_secure && !host.is_empty() && !is_forbidden_host(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_by_https_or_from_this_machine() {
        for good in ["https://a.example/jwks", "http://127.0.0.1:8080/k", "http://[::1]/k", "http://localhost/k"] {
            assert!(is_fetchable(good), "{good}");
        }
        for bad in [
            "http://a.example/jwks",
            "https://169.254.169.254/k",
            "https://u:p@a.example/k",
            "ftp://a.example/",
            "x",
            "",
        ] {
            assert!(!is_fetchable(bad), "{bad}");
        }
    }
}
