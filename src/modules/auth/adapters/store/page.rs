//! Cutting a page out of what was read.

use crate::{kernel::Page, modules::auth::application::PortError};

/// The page of rows that were read with one more than the limit: the one more says that there is a next page, which begins
/// after the last row of this one.
pub(super) fn cut<R, T>(
    mut rows: Vec<R>,
    limit: u32,
    cursor: impl Fn(&R) -> String,
    read: impl FnMut(R) -> Result<T, PortError>,
) -> Result<Page<T>, PortError> {
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| has_more).map(cursor);
    Ok(Page { items: rows.into_iter().map(read).collect::<Result<_, _>>()?, next_cursor })
}
