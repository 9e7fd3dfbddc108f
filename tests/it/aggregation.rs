//! Many sources, one answer, from outside.

mod endpoints;
mod sources;
mod transform;
