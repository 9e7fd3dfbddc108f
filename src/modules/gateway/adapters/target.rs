//! One target of an upstream, and the one state that says whether it gets requests.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;

use super::{
    balance::hash_bytes,
    connection::{Endpoint, Tls},
    dns::{Said, Slot},
};
use crate::{
    kernel::error::ValueFault,
    platform::tls::{ClientConnector, ClientTls},
};

/// The number of the next target of this process.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Where requests go.
#[derive(Debug)]
pub(super) struct Target {
    /// As it was configured.
    pub(super) url: String,
    /// Its name in the pools, never given to another.
    pub(super) number: usize,
    /// Where it is; for one by name without its address.
    pub(super) endpoint: Endpoint,
    /// Where a target by name has its address from.
    pub(super) slot: Option<Slot>,
    /// What is sent as `Host`.
    pub(super) authority: HeaderValue,
    /// Put before every path; without a slash at its end.
    pub(super) base_path: String,
    weight: u32,
    pub(super) in_flight: AtomicUsize,
    pub(super) requests: AtomicU64,
    pub(super) failures: AtomicU64,
    /// What active checks say; true without any.
    pub(super) healthy: AtomicBool,
    /// Failures without a success between.
    pub(super) failures_in_a_row: AtomicU32,
    /// Until when it is ejected, in milliseconds of the gateway's own time; 0: it is not.
    pub(super) ejected_until: AtomicU64,
    /// When it last came back, in the same time and one more; 0: it was never away.
    back_since: AtomicU64,
}

impl Target {
    /// Reads a target's URL.
    pub(super) fn parse(url: &str, weight: u32) -> Result<Self, ValueFault> {
        let expected = || {
            let detail = format!("expected a URL such as \"http://127.0.0.1:9001\", found {url:?}");
            ValueFault::new("invalid-url", detail)
        };
        let uri: Uri = url.parse().map_err(|_| expected())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(expected()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(expected)?;
        if uri.query().is_some() || authority.host().is_empty() {
            return Err(expected());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let tls = if tls {
            let name = ServerName::try_from(host.clone()).map_err(|_| expected())?;
            let connector = ClientConnector::load(ClientTls::default(), &[])
                .map_err(|error| ValueFault::new("no-tls", format!("TLS is not available: {error}")))?;
            Some(Tls { connector, name })
        } else {
            None
        };
        Ok(Self {
            url: url.to_owned(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            endpoint: Endpoint { host, port, tls, h2: None },
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| expected())?,
            base_path: uri.path().trim_end_matches('/').to_owned(),
            weight,
            in_flight: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            healthy: AtomicBool::new(true),
            failures_in_a_row: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            back_since: AtomicU64::new(0),
            slot: None,
        })
    }

    /// The same as a slot for one address of a name.
    pub(super) fn into_slot(self) -> Self {
        Self { slot: Some(Slot::default()), ..self }
    }

    /// Where to connect to.
    pub(super) fn place(&self) -> Cow<'_, Endpoint> {
        match self.slot.as_ref().and_then(|slot| slot.address.load_full()) {
            None => Cow::Borrowed(&self.endpoint),
            Some(address) => {
                Cow::Owned(Endpoint { host: address.ip().to_string(), port: address.port(), ..self.endpoint.clone() })
            }
        }
    }

    /// What a consistent hash knows it by; instances agree on it.
    pub(super) fn hash(&self) -> u64 {
        let address = self.slot.as_ref().and_then(|slot| slot.address.load_full());
        let address = address.map_or(0, |address| hash_bytes(address.to_string().as_bytes()));
        hash_bytes(self.url.as_bytes()) ^ address
    }

    /// Its share of the traffic, in hundredths: as configured, or as a name says.
    pub(super) fn weight(&self) -> u32 {
        self.said().map_or(self.weight * 100, |said| said.weight)
    }

    /// What a name says of it.
    pub(super) fn said(&self) -> Option<Said> {
        self.slot.as_ref().and_then(Slot::said)
    }

    /// Its share of the traffic, as it was configured.
    pub(super) fn configured_weight(&self) -> u32 {
        self.weight
    }

    /// Whether it is anywhere at all: a slot is only with an address.
    pub(super) fn is_present(&self) -> bool {
        self.slot.as_ref().is_none_or(|slot| slot.address.load().is_some())
    }

    /// For people: its URL, and the address that its name leads to.
    pub(super) fn shown(&self) -> String {
        match self.slot.as_ref().and_then(|slot| slot.address.load_full()) {
            None => self.url.clone(),
            Some(address) => format!("{} ({address})", self.url),
        }
    }

    /// Notes that it gets requests again from now on.
    pub(super) fn came_back(&self, now: Duration) {
        self.back_since.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX - 1) + 1, Ordering::Relaxed);
    }

    /// When it last came back, by health or after an ejection.
    pub(super) fn back_since(&self, now: Duration) -> Option<Duration> {
        let back = self.back_since.load(Ordering::Relaxed);
        let ejected = self.ejected_until.load(Ordering::Relaxed);
        let ejected = if u128::from(ejected) <= now.as_millis() { ejected } else { 0 };
        let latest = back.saturating_sub(1).max(ejected);
        (latest > 0 || back > 0).then(|| Duration::from_millis(latest))
    }

    /// Forgets what was known of another address.
    pub(super) fn begin_anew(&self, now: Duration) {
        self.healthy.store(true, Ordering::Relaxed);
        self.failures_in_a_row.store(0, Ordering::Relaxed);
        self.ejected_until.store(0, Ordering::Relaxed);
        self.came_back(now);
    }

    /// Takes over what is known of the same target under the configuration before, and its kept connections unless they
    /// would be made otherwise now.
    pub(super) fn take_over(&mut self, before: &Self, connections: bool, health: bool) {
        if connections {
            self.number = before.number;
        }
        if health {
            *self.healthy.get_mut() = before.healthy.load(Ordering::Relaxed);
        }
        if let (Some(slot), Some(before)) = (&self.slot, &before.slot) {
            slot.take_over(before);
        }
        *self.requests.get_mut() = before.requests.load(Ordering::Relaxed);
        *self.failures.get_mut() = before.failures.load(Ordering::Relaxed);
        *self.failures_in_a_row.get_mut() = before.failures_in_a_row.load(Ordering::Relaxed);
        *self.ejected_until.get_mut() = before.ejected_until.load(Ordering::Relaxed);
    }

    /// Whether it gets requests at `now`, the gateway's own time.
    pub(super) fn is_available(&self, now: Duration) -> bool {
        self.healthy.load(Ordering::Relaxed) && !self.is_ejected(now) && self.is_present()
    }

    /// Whether it is ejected at `now`.
    pub(super) fn is_ejected(&self, now: Duration) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        until != 0 && now.as_millis() < u128::from(until)
    }
}
