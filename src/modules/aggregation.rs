//! The `aggregation` role: one call for many sources, and transformations of data.
//!
//! A call comes in at `adapters/http`, a use case of `application` decides what is called when, `adapters/source` calls,
//! `adapters/evaluation` runs programs of requests in processes of their own. Everything that is configured is compiled
//! once, at start and when the configuration is read again: `running` puts it together and swaps it.

pub mod api;
pub mod config;

#[cfg(feature = "aggregation")]
mod adapters;
#[cfg(feature = "aggregation")]
mod application;
#[cfg(feature = "aggregation")]
mod command;
#[cfg(feature = "aggregation")]
mod domain;
#[cfg(all(fuzzing, feature = "aggregation"))]
pub mod fuzzing;
#[cfg(all(feature = "aggregation", feature = "graphql"))]
mod graphql;
#[cfg(all(feature = "aggregation", not(feature = "graphql")))]
mod graphql_absent;
#[cfg(feature = "aggregation")]
mod running;
#[cfg(feature = "aggregation")]
mod start;
#[cfg(all(feature = "aggregation", not(feature = "graphql")))]
use graphql_absent as graphql;

pub use config::AggregationConfig;

#[cfg(feature = "aggregation")]
pub use adapters::evaluation::{WorkerCommand, evaluation_worker};
#[cfg(feature = "aggregation")]
pub use adapters::krakend::import as import_krakend;
#[cfg(feature = "aggregation")]
pub use command::{Prepared, Rehearsal, run, transform, transform_lines};
#[cfg(feature = "aggregation")]
pub use start::{
    Aggregation, AggregationParts, AskedDatabase, PROBLEMS, Prepared as PreparedConfiguration, check, openapi,
};
