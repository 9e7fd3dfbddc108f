//! Many sources, one answer, from outside.

mod answers;
mod databases;
mod endpoints;
#[cfg(feature = "graphql")]
mod graphql;
mod lines;
mod role;
mod sources;
mod transform;
