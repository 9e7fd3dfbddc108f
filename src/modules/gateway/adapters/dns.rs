//! Targets by name: `dns` is looked up for its addresses, `srv` for the places that a service says it is at, again and again.
//!
//! Such a target is a row of slots. An address keeps its slot as long as the name leads to it, with all that is known of its
//! health; one that is gone leaves the slot empty until no connection to it can be left. When a lookup fails, what was known
//! goes on: a name server that is down takes no upstream with it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{RData, RecordType},
};
use tokio::time::{sleep, timeout};

use super::{target::Target, upstream::Upstream};
use crate::modules::gateway::config::DnsConfig;

/// More addresses of one name are not used.
pub(super) const MOST_ADDRESSES: usize = 16;
/// A slot stays empty so long: longer than a connection may be idle.
const EMPTY_FOR: Duration = Duration::from_secs(70);
/// One lookup may take so long.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long a start waits for the first answer.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);

/// What is looked up for a row of slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) kind: Kind,
    /// The upstream's targets that are its slots.
    pub(super) slots: std::ops::Range<usize>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Addresses; the port is known.
    Host(String, u16),
    /// Places of a service.
    Service(String),
}

/// A place for an address.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) address: ArcSwapOption<SocketAddr>,
    /// Since when it is empty, in milliseconds of the gateway's own time and one more; 0: nothing was ever in it.
    emptied: AtomicU64,
}

impl Slot {
    fn clear(&self, now: Duration) {
        self.address.store(None);
        self.emptied.store(millis(now) + 1, Ordering::Relaxed);
    }

    /// Whether another address may take it: no connection to the last one is left.
    fn is_free(&self, target: &Target, now: Duration) -> bool {
        let emptied = self.emptied.load(Ordering::Relaxed);
        let rested = emptied == 0 || millis(now) >= emptied + millis(EMPTY_FOR);
        self.address.load().is_none() && rested && target.in_flight.load(Ordering::Relaxed) == 0
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX / 2)
}

/// Looks names up.
pub(super) struct Lookups {
    resolver: TokioResolver,
    min_ttl: Duration,
    max_ttl: Duration,
}

impl Lookups {
    /// Lookups by the servers that are configured, or by the system's.
    pub(super) fn new(config: &DnsConfig) -> Result<Self, String> {
        let provider = TokioRuntimeProvider::default();
        let builder = if config.servers.is_empty() {
            TokioResolver::builder(provider).map_err(|error| error.to_string())?
        } else {
            let server = |address: &SocketAddr| {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = address.port();
                    connection
                });
                NameServerConfig::new(address.ip(), true, connections.into())
            };
            let servers = config.servers.iter().map(server).collect();
            TokioResolver::builder_with_config(ResolverConfig::from_name_servers(servers), provider)
        };
        let resolver = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { resolver, min_ttl: config.min_ttl.get(), max_ttl: config.max_ttl.get() })
    }

    /// Where a name leads, and how long that holds.
    async fn look_up(&self, kind: &Kind) -> Result<(BTreeSet<SocketAddr>, Duration), String> {
        let found = timeout(PATIENCE, async {
            match kind {
                Kind::Host(host, port) => self.host(host, *port).await,
                Kind::Service(name) => self.service(name).await,
            }
        });
        let (addresses, until) = found.await.map_err(|_| "no answer in time".to_owned())??;
        if addresses.is_empty() {
            return Err("the name leads nowhere".to_owned());
        }
        let holds = until.saturating_duration_since(Instant::now());
        Ok((addresses, holds.clamp(self.min_ttl, self.max_ttl.max(self.min_ttl))))
    }

    async fn host(&self, host: &str, port: u16) -> Result<(BTreeSet<SocketAddr>, Instant), String> {
        let found = self.resolver.lookup_ip(host).await.map_err(|error| error.to_string())?;
        let allowed = found.iter().filter(|address| is_allowed(*address));
        Ok((allowed.map(|address| SocketAddr::new(address, port)).collect(), found.valid_until()))
    }

    /// The places of the best priority; their weights are not looked at.
    async fn service(&self, name: &str) -> Result<(BTreeSet<SocketAddr>, Instant), String> {
        let found = self.resolver.lookup(name, RecordType::SRV).await.map_err(|error| error.to_string())?;
        let places: Vec<_> = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(place) => Some((place.priority, place.port, place.target.to_utf8())),
                _ => None,
            })
            .collect();
        let best = places.iter().map(|(priority, ..)| *priority).min();
        let (mut addresses, mut until) = (BTreeSet::new(), found.valid_until());
        for (_, port, host) in places.iter().filter(|(priority, ..)| Some(*priority) == best).take(MOST_ADDRESSES) {
            let (more, holds) = self.host(host, *port).await?;
            addresses.extend(more);
            until = until.min(holds);
        }
        Ok((addresses, until))
    }
}

/// A name does not lead to link-local places, where clouds keep their secrets.
fn is_allowed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local() && !address.is_unspecified() && !address.is_multicast(),
        IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_unspecified() && !address.is_multicast(),
    }
}

/// Looks a name up for the first time; a start does not wait long for it.
pub(super) async fn first(upstream: &Upstream, name: &Name, lookups: &Lookups) {
    if let Ok(Ok((addresses, _))) = timeout(FIRST_PATIENCE, lookups.look_up(&name.kind)).await {
        apply(upstream, name, addresses);
    }
}

/// Looks a name up for ever; the caller ends the task.
pub(super) async fn watch(upstream: Arc<Upstream>, name: Name, lookups: Arc<Lookups>) {
    let mut failing = false;
    loop {
        let pause = match lookups.look_up(&name.kind).await {
            Ok((addresses, holds)) => {
                failing = false;
                apply(&upstream, &name, addresses);
                holds
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(event = "target_lookup_failed", upstream = upstream.name, name = ?name.kind, error);
                }
                failing = true;
                lookups.min_ttl
            }
        };
        sleep(pause).await;
    }
}

/// Puts new addresses into free slots and takes those away that are gone.
fn apply(upstream: &Upstream, name: &Name, mut addresses: BTreeSet<SocketAddr>) {
    let now = upstream.now();
    let targets = &upstream.targets[name.slots.clone()];
    let slots = || targets.iter().filter_map(|target| Some((target, target.slot.as_ref()?)));
    for (target, slot) in slots() {
        let Some(known) = slot.address.load_full() else { continue };
        if !addresses.remove(&*known) {
            tracing::info!(event = "target_gone", upstream = upstream.name, target = target.url, address = %known);
            slot.clear(now);
        }
    }
    let mut free = slots().filter(|(target, slot)| slot.is_free(target, now));
    for address in addresses {
        let Some((target, slot)) = free.next() else {
            tracing::warn!(event = "target_without_slot", upstream = upstream.name, %address);
            return;
        };
        tracing::info!(event = "target_found", upstream = upstream.name, target = target.url, %address);
        target.begin_anew(now);
        slot.address.store(Some(Arc::new(address)));
    }
}
