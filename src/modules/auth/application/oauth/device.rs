//! A device asks, its user answers in a browser elsewhere, the device asks again until it is told (RFC 8628).

use std::{net::IpAddr, sync::Arc};

use super::{
    Browser, OAuthCode, OAuthError, OAuthTokens, audience_for,
    redeem_code::{Approved, GiveApproved},
    secret::new_secret,
};
use crate::{
    kernel::{Clock, Random},
    modules::auth::{
        application::{AttemptLimiter, Audit, ClientRepository, DeviceGrantRepository, Failure, Settings, TokenSigner},
        domain::{Actor, Client, DeviceGrant, DeviceState, GrantType, Origin, Outcome, Poll, UserCode},
    },
};

/// How often another user code is tried when one is taken.
const TRIES: usize = 5;

/// What a device is given to begin with (RFC 8628 §3.2).
#[derive(Debug, Clone)]
pub(crate) struct DeviceAuthorization {
    pub(crate) device_code: String,
    pub(crate) user_code: UserCode,
    /// Seconds.
    pub(crate) expires_in: i64,
    /// Seconds.
    pub(crate) interval: u32,
}

/// A device's request as its user sees it.
#[derive(Debug, Clone)]
pub(crate) struct DeviceRequest {
    pub(crate) client: Client,
    pub(crate) grant: DeviceGrant,
}

/// The use cases.
#[derive(Clone)]
pub(crate) struct Devices {
    pub(crate) store: Arc<dyn DeviceGrantRepository>,
    pub(crate) clients: Arc<dyn ClientRepository>,
    pub(crate) attempts: Arc<dyn AttemptLimiter>,
    pub(crate) digests: Arc<dyn TokenSigner>,
    pub(crate) give: GiveApproved,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl Devices {
    /// Takes a device's request in.
    pub(crate) async fn begin(
        &self,
        client: &Client,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<DeviceAuthorization, OAuthError> {
        if !client.may_use(GrantType::DeviceCode) {
            return Err(OAuthError::new(OAuthCode::UnauthorizedClient, "the client may not use this grant"));
        }
        let invalid = |detail: String| OAuthError::new(OAuthCode::InvalidScope, detail);
        let scopes = client.scopes_for(scope).map_err(|fault| invalid(fault.detail))?;
        audience_for(&self.settings, resource)?;
        let (device_code, now) = (new_secret(&*self.random), self.clock.now());
        let lifetime = self.settings.oauth.device_ttl;
        for _ in 0..TRIES {
            let mut bits = [0; 8];
            self.random.fill(&mut bits);
            let grant = DeviceGrant {
                hash: self.digests.digest(&device_code),
                user_code: UserCode::from_random(u64::from_be_bytes(bits)),
                client_id: client.id.clone(),
                scopes: scopes.names().map(str::to_owned).collect(),
                resource: resource.map(str::to_owned),
                created_at: now,
                expires_at: now + lifetime,
                interval: self.settings.oauth.device_interval,
                polled_at: None,
                state: DeviceState::Waiting,
            };
            if self.store.keep(&grant).await? {
                let DeviceGrant { user_code, interval, .. } = grant;
                return Ok(DeviceAuthorization {
                    device_code,
                    user_code,
                    expires_in: lifetime.num_seconds(),
                    interval,
                });
            }
        }
        Err(Failure::Unavailable("no user code is free".to_owned()).into())
    }

    /// What waits behind the code that a user typed; `None`: nothing does. Guesses are counted by user and by address.
    pub(crate) async fn find(
        &self,
        browser: &Browser,
        typed: &str,
        client: IpAddr,
    ) -> Result<Option<DeviceRequest>, Failure> {
        let account = format!("device code typed by {}", browser.user.id);
        self.attempts.check(&account, client).await?;
        let found = match UserCode::parse(typed) {
            Ok(code) => self.store.waiting(&code, self.clock.now()).await?,
            Err(_) => None,
        };
        self.attempts.settle(&account, client, found.is_some()).await?;
        let Some(grant) = found else { return Ok(None) };
        let client = self.clients.find(&grant.client_id).await?;
        Ok(client.map(|client| DeviceRequest { client, grant }))
    }

    /// The user said yes or no; `false` when nothing waits for it any more.
    pub(crate) async fn decide(
        &self,
        browser: &Browser,
        asked: &DeviceRequest,
        is_allowed: bool,
        origin: &Origin,
    ) -> Result<bool, Failure> {
        let approval = is_allowed.then(|| browser.approval());
        let is_done = self.store.answer(&asked.grant.user_code, approval.as_ref(), self.clock.now()).await?;
        if is_done && is_allowed {
            let entry = self.audit.entry(Actor::User(browser.user.id), origin, "consent.granted", Outcome::Success);
            let entry = entry.target("client", &asked.client.id).detail("scope", asked.grant.scopes.join(" "));
            entry.detail("grant", "device_code").write().await;
        }
        Ok(is_done)
    }

    /// What the device is told that asks whether its user has answered.
    pub(crate) async fn poll(
        &self,
        client: &Client,
        device_code: &str,
        origin: &Origin,
    ) -> Result<OAuthTokens, OAuthError> {
        let wrong = || OAuthError::invalid_grant("the device code is not valid, or no longer");
        let hash = self.digests.digest(device_code);
        let grant = self.store.find(&hash).await?.filter(|grant| grant.client_id == client.id).ok_or_else(wrong)?;
        let now = self.clock.now();
        let told = |code, text| Err(OAuthError::new(code, text));
        let approval = match grant.poll(now) {
            Poll::Ready(approval) => approval,
            Poll::Spent => return Err(wrong()),
            Poll::Denied => return told(OAuthCode::AccessDenied, "the user said no"),
            Poll::Expired => return told(OAuthCode::ExpiredToken, "the device code has expired"),
            Poll::Pending => {
                self.store.polled(&hash, grant.interval, now).await?;
                return told(OAuthCode::AuthorizationPending, "the user has not answered yet");
            }
            Poll::SlowDown(interval) => {
                self.store.polled(&hash, interval, now).await?;
                return told(OAuthCode::SlowDown, "the device asks too often");
            }
        };
        let Some((user, device)) = self.give.approver(&approval).await? else {
            return told(OAuthCode::AccessDenied, "the user's login has ended");
        };
        if !self.store.spend(&hash, now).await? {
            return Err(wrong());
        }
        let approved = Approved {
            session: self.give.next_session(),
            kind: GrantType::DeviceCode,
            scopes: &grant.scopes,
            resource: grant.resource.as_deref(),
            nonce: None,
            approval: &approval,
        };
        self.give.run(client, (&user, device), approved, origin).await
    }
}
