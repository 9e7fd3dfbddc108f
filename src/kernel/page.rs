//! Lists, a page at a time, by cursor.

/// What page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many items, 1 to 100.
    pub limit: u32,
    /// Where the previous page ended; opaque to clients.
    pub cursor: Option<String>,
}

impl PageRequest {
    /// The largest page.
    pub const MAX: u32 = 100;
    /// What a client gets that names no limit.
    pub const DEFAULT: u32 = 20;
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: Self::DEFAULT, cursor: None }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next_cursor: Option<String>,
}
