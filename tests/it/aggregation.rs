//! Many sources, one answer, from outside.

mod answers;
mod databases;
mod endpoints;
#[cfg(feature = "graphql")]
mod graphql;
mod hostile;
mod keys;
mod lines;
mod reload;
mod role;
mod roles;
mod sources;
mod transform;
