//! What of a source's answers is followed: pages and redirects.

use serde::{Deserialize, Serialize};

/// `paginate` of a source: its pages are followed and their items put together in order, as if it were one answer.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PaginateConfig {
    /// What leads to the next page.
    pub by: PaginateBy,
    /// Where a page's items stand, a plain path; `.` is the whole body.
    #[serde(default = "whole")]
    pub items: String,
    /// For `by = "cursor"`: where the next cursor stands, a plain path.
    pub cursor: Option<String>,
    /// The parameter of the cursor (absent: `cursor`) or of the page's number (absent: `page`).
    pub param: Option<String>,
    /// For `by = "page"`: the first page's number.
    #[serde(default = "one")]
    pub start: u32,
    /// For `by = "page"`: a page with fewer items is the last; absent: an empty one is.
    pub size: Option<usize>,
    /// No more pages than these are followed.
    #[serde(default = "max_pages")]
    pub max_pages: usize,
}

/// What leads to the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PaginateBy {
    /// A value in the page.
    Cursor,
    /// `Link: <…>; rel="next"`, within the source's origin.
    Link,
    /// The number of the page.
    Page,
}

/// `redirects` of a source, for GET and HEAD; absent: a redirect is an answer that failed.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedirectsConfig {
    /// So many are followed.
    #[serde(default = "max_redirects")]
    pub max: u32,
    /// Where they may lead beside the source's own origin, such as `https://cdn.example`; the client's headers do not go there.
    #[serde(default)]
    pub to: Vec<String>,
}

fn whole() -> String {
    ".".to_owned()
}
const fn one() -> u32 {
    1
}
const fn max_pages() -> usize {
    10
}
const fn max_redirects() -> u32 {
    3
}
