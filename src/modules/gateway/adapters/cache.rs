//! The cache of answers (RFC 9111), for routes that have one.
//!
//! A request is looked up by its URL ([`key`]), its route and what `Vary` names ([`select`]) among what this process keeps
//! ([`store`]) and, behind that, what other instances have kept ([`second`]). What is found is given, given stale while a
//! new answer is fetched ([`refresh`]), or validated; what is not found is fetched once for all who want it ([`flights`])
//! and kept when its body is whole ([`collect`]). [`policy`] says what may be kept, and for how long.

mod admin;
mod collect;
mod conditions;
mod directives;
mod encoding;
mod fetch;
mod flights;
mod invalidate;
mod key;
mod policy;
mod purge;
mod refresh;
mod second;
mod select;
mod serve;
mod store;
mod stored;
mod targeted;
mod told;

use std::{rc::Rc, sync::Arc, time::Duration};

pub(super) use admin::{CacheApi, purge_cache, show_cache};
pub(super) use policy::CacheRules;
pub(super) use second::hear;
pub(super) use serve::answer;

use self::{collect::Room, flights::Flights, second::Second, store::Store, told::Meters};
use super::{outgoing::Outgoing, pool::Pool, route::Route, upstream::Upstream};
use crate::{
    kernel::{Clock, Principal, Random},
    modules::gateway::config::CacheConfig,
    platform::shared_cache::SharedCache,
};

/// The cache of this process.
pub(super) struct Cache {
    store: Store,
    flights: Arc<Flights>,
    room: Arc<Room>,
    meters: Meters,
    clock: Arc<dyn Clock>,
    /// What is kept behind this process; `None`: nothing.
    second: Option<Second>,
    max_bytes: u64,
    /// The longest body that is kept.
    longest: usize,
    /// How long one request waits for another's answer.
    wait: Duration,
}

impl Cache {
    pub(super) fn new(
        config: &CacheConfig,
        shared: Option<Arc<dyn SharedCache>>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Arc<Self> {
        let second =
            shared.map(|shared| Second::new(shared, clock.clone(), random, config.max_variants, config.keep.get()));
        Arc::new(Self {
            store: Store::new(config),
            flights: Arc::default(),
            room: Arc::new(Room::new(config.max_collecting_bytes.as_usize())),
            meters: Meters::new(),
            clock,
            second,
            max_bytes: config.max_bytes.0,
            longest: config.max_entry_bytes.as_usize(),
            wait: config.wait.get(),
        })
    }
}

/// A request on a route with a cache, and all that calling its upstream takes.
pub(super) struct Call<'a> {
    pub(super) cache: &'a Arc<Cache>,
    pub(super) rules: &'a Arc<CacheRules>,
    pub(super) route: &'a Arc<Route>,
    pub(super) upstream: &'a Arc<Upstream>,
    pub(super) pool: &'a Rc<Pool>,
    pub(super) outgoing: &'a Outgoing<'a>,
    pub(super) principal: Option<&'a Arc<Principal>>,
    pub(super) hash_key: Option<u64>,
    pub(super) deadline: Option<std::time::Instant>,
    /// The path as the client asked for it, canonical.
    pub(super) path: &'a str,
}

impl Call<'_> {
    /// Whose answers these are: the route's, of the upstream that was chosen where it has several.
    fn identity(&self) -> [u8; 16] {
        let mut identity = self.rules.identity;
        for (at, byte) in self.upstream.name.bytes().enumerate() {
            identity[at % 16] = identity[at % 16].rotate_left(3) ^ byte;
        }
        identity
    }
}
