//! Targets by name: `dns` is looked up for its addresses, `srv` for the places that a service says it is at, again and again.
//!
//! Such a target is a row of slots. An address keeps its slot as long as the name leads to it, with all that is known of its
//! health; one that is gone leaves the slot empty until no connection to it can be left. When a lookup fails, what was known
//! goes on: a name server that is down takes no upstream with it.

mod service;

use std::{
    cmp::Reverse,
    collections::BTreeMap,
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
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, RecordType},
};
use tokio::time::{sleep, timeout};

use self::service::Place;
pub(super) use self::service::Said;
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
    /// What is said of the address, where something is.
    said: ArcSwapOption<Said>,
    /// Since when it is empty, in milliseconds of the gateway's own time and one more; 0: nothing was ever in it.
    emptied: AtomicU64,
}

impl Slot {
    /// What the name says of its address; `None`: nothing.
    pub(super) fn said(&self) -> Option<Said> {
        self.said.load().as_deref().copied()
    }

    /// Takes over what is known of the same slot.
    pub(super) fn take_over(&self, before: &Self) {
        self.address.store(before.address.load_full());
        self.said.store(before.said.load_full());
    }

    fn clear(&self, now: Duration) {
        self.address.store(None);
        self.said.store(None);
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

/// Where a name leads, and what is said of each place.
type Places = BTreeMap<SocketAddr, Option<Said>>;

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
    async fn look_up(&self, kind: &Kind) -> Result<(Places, Duration), String> {
        let found = timeout(PATIENCE, async {
            match kind {
                Kind::Host(host, port) => {
                    let (addresses, until) = self.host(host, *port).await.map_err(|error| error.to_string())?;
                    Ok((addresses.into_iter().map(|address| (address, None)).collect::<Places>(), until))
                }
                Kind::Service(name) => self.service(name).await,
            }
        });
        let (places, until) = found.await.map_err(|_| "no answer in time".to_owned())??;
        if places.is_empty() {
            return Err("the name leads nowhere".to_owned());
        }
        let holds = until.saturating_duration_since(Instant::now());
        Ok((places, holds.clamp(self.min_ttl, self.max_ttl.max(self.min_ttl))))
    }

    async fn host(&self, host: &str, port: u16) -> Result<(Vec<SocketAddr>, Instant), NetError> {
        let found = self.resolver.lookup_ip(host).await?;
        let allowed = found.iter().filter(|address| is_allowed(*address));
        Ok((allowed.map(|address| SocketAddr::new(address, port)).collect(), found.valid_until()))
    }

    /// The places of a service, with what its records say of them (RFC 2782). A host that has no address is left out.
    async fn service(&self, name: &str) -> Result<(Places, Instant), String> {
        let found = self.resolver.lookup(name, RecordType::SRV).await.map_err(|error| error.to_string())?;
        let records = found.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(record) if !record.target.is_root() => Some(record),
            _ => None,
        });
        let mut records: Vec<_> = records.collect();
        records.sort_by_key(|record| (record.priority, Reverse(record.weight)));
        let (mut places, mut until) = (Vec::new(), found.valid_until());
        for record in records.into_iter().take(MOST_ADDRESSES) {
            let (addresses, holds) = match self.host(&record.target.to_utf8(), record.port).await {
                Ok(found) => found,
                Err(error) if error.is_no_records_found() => continue,
                Err(error) => return Err(error.to_string()),
            };
            until = until.min(holds);
            places.push(Place { priority: record.priority, weight: record.weight, addresses });
        }
        Ok((service::said(&places), until))
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
    if let Ok(Ok((places, _))) = timeout(FIRST_PATIENCE, lookups.look_up(&name.kind)).await {
        apply(upstream, name, places);
    }
}

/// Looks a name up for ever; the caller ends the task.
pub(super) async fn watch(upstream: Arc<Upstream>, name: Name, lookups: Arc<Lookups>) {
    let mut failing = false;
    loop {
        let pause = match lookups.look_up(&name.kind).await {
            Ok((places, holds)) => {
                failing = false;
                apply(&upstream, &name, places);
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
fn apply(upstream: &Upstream, name: &Name, mut places: Places) {
    put(upstream, name, &mut places);
    upstream.arrange();
}

fn put(upstream: &Upstream, name: &Name, places: &mut Places) {
    let now = upstream.now();
    let targets = &upstream.targets[name.slots.clone()];
    let slots = || targets.iter().filter_map(|target| Some((target, target.slot.as_ref()?)));
    for (target, slot) in slots() {
        let Some(known) = slot.address.load_full() else { continue };
        if let Some(said) = places.remove(&*known) {
            slot.said.store(said.map(|said| Arc::new(said.of(target))));
        } else {
            tracing::info!(event = "target_gone", upstream = upstream.name, target = target.url, address = %known);
            slot.clear(now);
        }
    }
    let mut free = slots().filter(|(target, slot)| slot.is_free(target, now));
    for (address, said) in std::mem::take(places) {
        let Some((target, slot)) = free.next() else {
            tracing::warn!(event = "target_without_slot", upstream = upstream.name, %address);
            return;
        };
        tracing::info!(event = "target_found", upstream = upstream.name, target = target.url, %address);
        target.begin_anew(now);
        slot.said.store(said.map(|said| Arc::new(said.of(target))));
        slot.address.store(Some(Arc::new(address)));
    }
}
