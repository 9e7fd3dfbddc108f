//! One target of an upstream, and the one state that says whether it gets requests.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;

use super::connection::{Endpoint, Tls};
use crate::kernel::error::ValueFault;

/// The number of the next target of this process.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Where requests go.
#[derive(Debug)]
pub(super) struct Target {
    /// As it was configured.
    pub(super) url: String,
    /// Its name in the pools, never given to another.
    pub(super) number: usize,
    pub(super) endpoint: Endpoint,
    /// What is sent as `Host`.
    pub(super) authority: HeaderValue,
    /// Put before every path; without a slash at its end.
    pub(super) base_path: String,
    pub(super) weight: u32,
    pub(super) in_flight: AtomicUsize,
    pub(super) requests: AtomicU64,
    pub(super) failures: AtomicU64,
    /// What active checks say; true without any.
    pub(super) healthy: AtomicBool,
    /// Failures without a success between.
    pub(super) failures_in_a_row: AtomicU32,
    /// Until when it is ejected, in milliseconds of the gateway's own time; 0: it is not.
    pub(super) ejected_until: AtomicU64,
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
            let connector = super::connection::tls_connector()
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
        })
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
        *self.requests.get_mut() = before.requests.load(Ordering::Relaxed);
        *self.failures.get_mut() = before.failures.load(Ordering::Relaxed);
        *self.failures_in_a_row.get_mut() = before.failures_in_a_row.load(Ordering::Relaxed);
        *self.ejected_until.get_mut() = before.ejected_until.load(Ordering::Relaxed);
    }

    /// Whether it gets requests at `now`, the gateway's own time.
    pub(super) fn is_available(&self, now: Duration) -> bool {
        self.healthy.load(Ordering::Relaxed) && !self.is_ejected(now)
    }

    /// Whether it is ejected at `now`.
    pub(super) fn is_ejected(&self, now: Duration) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        until != 0 && now.as_millis() < u128::from(until)
    }
}
