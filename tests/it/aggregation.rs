//! Many sources, one answer, from outside.

mod answers;
mod databases;
mod endpoints;
mod lines;
mod role;
mod sources;
mod transform;
