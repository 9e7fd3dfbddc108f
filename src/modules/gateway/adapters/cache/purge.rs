//! Forgetting on demand: one URL, all that carry a tag, all that begin alike, or all.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use super::{Cache, stored::Stored};

const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");

/// What is to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Purge {
    /// This URL, as a key.
    Key(Arc<str>),
    /// Answers that carried this in `Cache-Tag` or `Surrogate-Key`.
    Tag(String),
    /// URLs that begin so.
    Prefix(String),
    /// Everything; the value says nothing.
    All(bool),
}

impl Cache {
    /// Forgets what is kept of a URL, here and at the other instances. Whether there was anything here.
    pub(super) fn forget(self: &Arc<Self>, key: &Arc<str>) -> bool {
        self.purge(Purge::Key(key.clone())) > 0
    }

    /// Forgets, here and at the other instances. How many URLs were forgotten here.
    pub(super) fn purge(self: &Arc<Self>, purge: Purge) -> u64 {
        let purged = self.purge_here(&purge);
        if self.second.is_some() {
            let cache = self.clone();
            tokio::spawn(async move {
                let Some(second) = &cache.second else { return };
                if let Purge::Key(key) = &purge {
                    second.forget(key).await;
                }
                second.tell(purge);
            });
        }
        purged
    }

    pub(super) fn purge_here(&self, purge: &Purge) -> u64 {
        match purge {
            Purge::Key(key) => u64::from(self.store.remove(key)),
            Purge::Tag(tag) => {
                self.store.remove_where(|_, variants| variants.iter().any(|stored| carries(stored, tag)))
            }
            Purge::Prefix(prefix) => self.store.remove_where(|key, _| key.starts_with(prefix.as_str())),
            Purge::All(_) => self.store.remove_where(|_, _| true),
        }
    }
}

/// Whether an answer carries a tag.
fn carries(stored: &Stored, tag: &str) -> bool {
    tags(&stored.headers, &CACHE_TAG, &[',']).any(|found| found == tag)
        || tags(&stored.headers, &SURROGATE_KEY, &[' ', ',']).any(|found| found == tag)
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName, between: &'a [char]) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).filter_map(|value| value.to_str().ok());
    lines.flat_map(move |line| line.split(between)).map(str::trim).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn tags_are_listed_by_commas_or_spaces() {
        let mut headers = HeaderMap::new();
        headers.append(CACHE_TAG, HeaderValue::from_static("one two, three"));
        headers.append(SURROGATE_KEY, HeaderValue::from_static("four five"));
        assert_eq!(tags(&headers, &CACHE_TAG, &[',']).collect::<Vec<_>>(), ["one two", "three"]);
        assert_eq!(tags(&headers, &SURROGATE_KEY, &[' ', ',']).collect::<Vec<_>>(), ["four", "five"]);
    }
}
