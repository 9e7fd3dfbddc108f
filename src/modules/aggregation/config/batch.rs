//! `batch` of a step: many elements of `for_each` in one call.

use serde::{Deserialize, Serialize};

/// `batch` of a step. Arguments that read `.item` are joined, the body's program sees an array as `.item`; the answer's
/// elements are put back to the elements they belong to, null where there is none.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// The most elements of one call.
    pub size: usize,
    /// What stands between joined arguments.
    #[serde(default = "comma")]
    pub join: String,
    /// Where an element of the answer says which it is, a plain path; absent: the answer is an object with an element by name.
    pub key: Option<String>,
}

fn comma() -> String {
    ",".to_owned()
}
