//! GraphQL over the configured sources, in a binary that has it compiled in. The schema says which source each field comes
//! from; async-graphql parses and validates documents, and what they ask for is executed here, level by level, over the same
//! calls of sources as everything else.

mod answer;
mod bounds;
mod documented;
mod execute;
mod fault;
mod fetch;
mod http;
mod input;
mod output;
mod request;
mod schema;
mod sdl;
mod start;
#[cfg(test)]
mod tests;
mod tokens;
mod typed;

pub(super) use documented::documented;
pub(super) use http::configure;
pub(super) use start::{Live, Service, check};
