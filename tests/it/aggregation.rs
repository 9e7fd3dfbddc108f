//! Many sources, one answer, from outside.

mod answers;
mod endpoints;
mod role;
mod sources;
mod transform;
