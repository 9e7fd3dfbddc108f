//! The rules of aggregation, without IO: how a source's address is filled, which steps wait for which, what a rule of a
//! transformation does, what is told of each source.

pub(super) mod data;
pub(super) mod freshness;
pub(super) mod lines;
pub(super) mod outcome;
pub(super) mod paging;
pub(super) mod path;
pub(super) mod plan;
pub(super) mod rule;
pub(super) mod shape;
pub(super) mod stream;
pub(super) mod template;
pub(super) mod transform;
pub(super) mod vary;
