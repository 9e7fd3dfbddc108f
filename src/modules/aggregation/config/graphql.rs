//! `[aggregation.graphql]`: one endpoint for queries over the same sources.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::EndpointAuth;
use crate::kernel::units::Span;

/// `[aggregation.graphql]`: GraphQL over the configured sources; absent: it is not served. Either `schema` or `types` says
/// which types there are and which source each field comes from.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphqlConfig {
    /// Where it is served, below the front door's `api_prefix`.
    #[serde(default = "path")]
    pub path: String,
    /// A file with the schema, in GraphQL's schema definition language.
    pub schema: Option<PathBuf>,
    /// In place of `schema`: the text itself.
    pub types: Option<String>,
    /// Whether a token is needed.
    #[serde(default)]
    pub auth: EndpointAuth,
    /// For one operation; what has not come by then is null, and told in `errors`.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// Whether `__schema` and `__type` are answered.
    #[serde(default = "yes")]
    pub introspection: bool,
    /// The deepest nesting of fields.
    #[serde(default = "max_depth")]
    pub max_depth: usize,
    /// The most that a document may cost: one for each field, times the elements of the lists around it.
    #[serde(default = "max_complexity")]
    pub max_complexity: u64,
    /// How many elements a list is taken to have, where its field says nothing else by `@listSize`.
    #[serde(default = "list_size")]
    pub list_size: u64,
    /// The most aliases of a document.
    #[serde(default = "max_aliases")]
    pub max_aliases: u64,
    /// The most words and signs of a document.
    #[serde(default = "max_tokens")]
    pub max_tokens: usize,
    /// The most calls of sources for one operation.
    #[serde(default = "max_calls")]
    pub max_calls: usize,
    /// The most values in one answer: scalars, objects and elements of lists.
    #[serde(default = "max_values")]
    pub max_values: usize,
}

fn path() -> String {
    "/graphql".to_owned()
}
const fn timeout() -> Span {
    Span::secs(5)
}
const fn yes() -> bool {
    true
}
const fn max_depth() -> usize {
    12
}
const fn max_complexity() -> u64 {
    1_000
}
const fn list_size() -> u64 {
    10
}
const fn max_aliases() -> u64 {
    30
}
const fn max_tokens() -> usize {
    4_000
}
const fn max_calls() -> usize {
    200
}
const fn max_values() -> usize {
    100_000
}
