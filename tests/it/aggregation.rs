//! Many sources, one answer, from outside.

mod endpoints;
mod role;
mod sources;
mod transform;
