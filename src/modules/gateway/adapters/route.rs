//! A route as it is used: everything compiled when the configuration is loaded.

use std::{sync::Arc, time::Duration};

use actix_web::http::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use super::{
    cache::CacheRules, deprecation::Notices, limits::Limits, mirror::Mirror, schema::RequestSchema, split::Split,
    template::Template,
};
use crate::{
    kernel::Role,
    modules::gateway::{config::RouteAuth, domain::host::HostPattern},
};

/// A compiled route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) name: Arc<str>,
    /// The path's pattern as it was written; the label of logs and metrics.
    pub(super) pattern: Arc<str>,
    /// Exactly these; `None`: all.
    pub(super) methods: Option<Vec<Method>>,
    /// Empty: all.
    pub(super) hosts: Vec<HostPattern>,
    /// All of these must be there.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) to: Destination,
    pub(super) path: PathRule,
    pub(super) auth: RouteAuth,
    pub(super) roles: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) limit: Option<Arc<Limits>>,
    pub(super) timeout: Option<Duration>,
    /// The largest request body.
    pub(super) body_limit: u64,
    /// Whether the limit is the route's own, which holds for local roles too.
    pub(super) own_body_limit: bool,
    /// Protocols that a connection may change to.
    pub(super) upgrade: Vec<String>,
    /// What is kept of its answers; `None`: nothing.
    pub(super) cache: Option<Arc<CacheRules>>,
    pub(super) request_headers: HeaderChanges,
    pub(super) response_headers: HeaderChanges,
    pub(super) shaping: Shaping,
}

/// What a route does beside leading somewhere.
#[derive(Debug, Default)]
pub(super) struct Shaping {
    /// Chooses one of several upstreams.
    pub(super) split: Option<Split>,
    pub(super) mirror: Option<Mirror>,
    pub(super) schema: Option<RequestSchema>,
    pub(super) notices: Option<Notices>,
    /// Answers are never compressed.
    pub(super) uncompressed: bool,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// To the application's own handlers, without any policy: health, metrics, documentation, administration.
    Open,
    /// To a role in this process.
    Local(Role),
    /// To the upstream of this number.
    Upstream(usize),
}

/// What becomes of the path.
#[derive(Debug)]
pub(super) enum PathRule {
    /// It stays.
    Keep,
    /// So many bytes are taken off its front.
    Strip(usize),
    /// It becomes this.
    Rewrite(Template),
}

/// Header rules, compiled.
#[derive(Debug, Default)]
pub(super) struct HeaderChanges {
    pub(super) remove: Vec<HeaderName>,
    pub(super) set: Vec<(HeaderName, HeaderText)>,
}

/// A header's value, ready or to be filled.
#[derive(Debug)]
pub(super) enum HeaderText {
    Ready(HeaderValue),
    Template(Template),
}

impl HeaderText {
    /// The value for these path parameters. Parameters are parts of a canonical path and cannot carry a line break.
    pub(super) fn value(&self, parameters: &[&str]) -> Option<HeaderValue> {
        match self {
            Self::Ready(value) => Some(value.clone()),
            Self::Template(template) => HeaderValue::from_str(&template.fill(parameters)).ok(),
        }
    }
}

impl Route {
    /// Whether hosts and headers are as the route wants them.
    pub(super) fn accepts(&self, host: &str, headers: &HeaderMap) -> bool {
        (self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host)))
            && self.headers.iter().all(|(name, value)| headers.get_all(name).any(|sent| sent == value))
    }

    /// Whether the method is one of the route's.
    pub(super) fn allows(&self, method: &Method) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(method))
    }

    /// The path that is forwarded; `None`: as it came.
    pub(super) fn forwarded_path(&self, path: &str, parameters: &[&str]) -> Option<String> {
        match &self.path {
            PathRule::Keep => None,
            PathRule::Strip(len) => {
                let rest = path.get(*len..).unwrap_or_default();
                Some(if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") })
            }
            PathRule::Rewrite(template) => Some(template.fill(parameters)),
        }
    }
}
