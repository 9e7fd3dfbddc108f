//! Many sources, one answer, from outside.

mod endpoints;
mod lines;
mod role;
mod sources;
mod transform;
