//! GraphQL, in a binary that does not have it compiled in: configured, it is a fault that says so.

use std::sync::Arc;

use actix_web::web;
use arc_swap::ArcSwapOption;
use utoipa::openapi::PathItem;

use super::{
    application::{
        catalogue::Catalogue,
        ports::{RequestHeaders, SourceCaller},
    },
    config::AggregationConfig,
};
use crate::kernel::SettingFault;

/// Nothing that could be asked.
pub(super) enum Service {}

impl Service {
    /// There is none.
    pub(super) fn start(_: &AggregationConfig, _: &Catalogue, _: Arc<dyn SourceCaller>) -> Option<Arc<Self>> {
        None
    }

    /// Where it is served.
    pub(super) fn path(&self) -> &str {
        match *self {}
    }

    /// Answers a document outside a server.
    #[expect(clippy::unused_async, reason = "the other binary waits for sources")]
    pub(super) async fn rehearse(
        &self,
        _: &str,
        _: Option<&str>,
        _: &RequestHeaders,
    ) -> Result<(String, bool), String> {
        match *self {}
    }
}

/// What serves: nothing.
pub(super) type Live = ArcSwapOption<Service>;

/// Registers nothing.
pub(super) fn configure(_: &Arc<Live>, _: &mut web::ServiceConfig) {}

/// What is configured cannot be served.
pub(super) fn check(config: &AggregationConfig) -> Vec<SettingFault> {
    let fault = |_| {
        let detail = "GraphQL is not compiled into this binary: build it with the feature `graphql`";
        SettingFault::new("aggregation.graphql", detail)
    };
    config.graphql.iter().map(fault).collect()
}

/// Nothing is documented.
pub(super) fn documented(_: &AggregationConfig) -> Option<(String, PathItem)> {
    None
}
