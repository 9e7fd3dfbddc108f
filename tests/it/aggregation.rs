//! Many sources, one answer, from outside.

mod answers;
mod endpoints;
mod lines;
mod role;
mod sources;
mod transform;
