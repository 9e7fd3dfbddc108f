//! How an answer goes on: sources that answer in pages say where the next one is, or count them.

use std::fmt::Write as _;

use serde_json::value::RawValue;
use url::Url;

use super::path::{Path, elements, identity};

/// What leads to the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// A value in the page, sent as a parameter.
    Cursor {
        /// Where it stands; nothing, null, false or an empty text there ends it.
        at: Path,
        /// The parameter.
        param: String,
    },
    /// `Link: <…>; rel="next"` (RFC 8288), within the source's origin.
    Link,
    /// The number of the page, sent as a parameter; an empty page ends it.
    Page {
        /// The parameter.
        param: String,
        /// The first page's number.
        start: u32,
        /// A page with fewer items is the last.
        size: Option<usize>,
    },
}

/// A source that answers in pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paging {
    /// Where the items of a page stand.
    pub(crate) items: Path,
    /// What leads on.
    pub(crate) next: Next,
    /// The most pages.
    pub(crate) max_pages: usize,
}

/// A page, as far as going on is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    /// Its number, from 0.
    pub(crate) index: usize,
    /// Its address.
    pub(crate) url: &'a str,
    /// What it says.
    pub(crate) body: &'a RawValue,
    /// How many items it has.
    pub(crate) items: usize,
    /// Its `Link` header.
    pub(crate) link: Option<&'a str>,
}

impl Paging {
    /// The address of the first page, from the source's.
    pub(crate) fn first(&self, url: &str) -> String {
        match &self.next {
            Next::Page { param, start, .. } => with(url, param, &start.to_string()),
            Next::Cursor { .. } | Next::Link => url.to_owned(),
        }
    }

    /// The items of a page; an answer without content has none. `None`: there is no array.
    pub(crate) fn items<'a>(&self, body: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        if body.get() == "null" {
            return Some(Vec::new());
        }
        self.items.find(body).and_then(elements)
    }

    /// The address of the page after this one; `base` is the source's. `None`: it is the last. The error says why a page that
    /// is there must not be called.
    pub(crate) fn next(&self, base: &str, page: Page<'_>) -> Result<Option<String>, &'static str> {
        match &self.next {
            Next::Cursor { at, param } => {
                let cursor = at.find(page.body).and_then(identity).filter(|cursor| !cursor.is_empty());
                Ok(cursor.map(|cursor| with(base, param, &cursor)))
            }
            Next::Page { param, start, size } => {
                let goes_on = page.items > 0 && size.is_none_or(|size| page.items >= size);
                let number = u64::from(*start) + page.index as u64 + 1;
                Ok(goes_on.then(|| with(base, param, &number.to_string())))
            }
            Next::Link => match page.link.and_then(next_link) {
                None => Ok(None),
                Some(target) => within(page.url, target).map(Some).ok_or("the next page is not where the source is"),
            },
        }
    }
}

/// The address with one more parameter, percent-encoded.
fn with(url: &str, param: &str, value: &str) -> String {
    let mut url = url.to_owned();
    url.push(if url.contains('?') { '&' } else { '?' });
    for (text, after) in [(param, "="), (value, "")] {
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                url.push(char::from(byte));
            } else {
                let _ = write!(url, "%{byte:02X}");
            }
        }
        url.push_str(after);
    }
    url
}

/// The target whose relation is `next`.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some(open) = rest.find('<') {
        let (target, after) = rest[open + 1..].split_once('>')?;
        let end = end_of_parameters(after);
        let is_next = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
            name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        };
        // Only the first `rel` of a link counts (RFC 8288 §3.3).
        let mut parameters = after[..end].split(';');
        let relation =
            parameters.find(|text| text.trim_start().get(..3).is_some_and(|r| r.eq_ignore_ascii_case("rel")));
        if relation.is_some_and(is_next) {
            return Some(target);
        }
        rest = &after[end..];
    }
    None
}

/// Where the comma before the next link stands.
fn end_of_parameters(text: &str) -> usize {
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    end.unwrap_or(text.len())
}

/// `target`, seen from `base`, when it is in the same place: scheme, host and port, and no user information.
pub(crate) fn within(base: &str, target: &str) -> Option<String> {
    let (base, mut found) = (Url::parse(base).ok()?, Url::parse(base).ok()?.join(target).ok()?);
    let same = base.origin() == found.origin() && found.username().is_empty() && found.password().is_none();
    found.set_fragment(None);
    same.then(|| found.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(paging: &Paging, body: &str, link: Option<&str>) -> Result<Option<String>, &'static str> {
        let body = RawValue::from_string(body.to_owned()).expect("JSON");
        let items = paging.items(&body).expect("items").len();
        paging.next("http://h/a?b=1", Page { index: 0, url: "http://h/a?b=1", body: &body, items, link })
    }

    fn paging(next: Next) -> Paging {
        Paging { items: Path::parse(".items").expect("path"), next, max_pages: 9 }
    }

    #[test]
    fn a_cursor_leads_on_until_there_is_none() {
        let at = Path::parse(".next").expect("path");
        let paging = paging(Next::Cursor { at, param: "after".to_owned() });
        assert_eq!(paging.first("http://h/a"), "http://h/a");
        let said = next(&paging, r#"{"items":[1],"next":"x&y=/"}"#, None);
        assert_eq!(said.expect("fine").as_deref(), Some("http://h/a?b=1&after=x%26y%3D%2F"));
        let said = next(&paging, r#"{"items":[],"next":12}"#, None);
        assert_eq!(said.expect("fine").as_deref(), Some("http://h/a?b=1&after=12"));
        for last in [
            r#"{"items":[]}"#,
            r#"{"items":[],"next":null}"#,
            r#"{"items":[],"next":""}"#,
            r#"{"items":[],"next":false}"#,
        ] {
            assert_eq!(next(&paging, last, None), Ok(None), "{last}");
        }
    }

    #[test]
    fn pages_are_counted_until_one_is_not_full() {
        let counted = |size| paging(Next::Page { param: "page".to_owned(), start: 1, size });
        assert_eq!(counted(None).first("http://h/a"), "http://h/a?page=1");
        let said = next(&counted(None), r#"{"items":[1]}"#, None);
        assert_eq!(said.expect("fine").as_deref(), Some("http://h/a?b=1&page=2"));
        assert_eq!(next(&counted(None), r#"{"items":[]}"#, None), Ok(None));
        assert_eq!(next(&counted(Some(2)), r#"{"items":[1]}"#, None), Ok(None));
    }

    #[test]
    fn a_link_leads_on_within_the_origin() {
        let paging = paging(Next::Link);
        let follow = |link: &str| next(&paging, r#"{"items":[1]}"#, Some(link));
        for (link, expected) in [
            (r#"<http://h/a?p=2>; rel="next""#, "http://h/a?p=2"),
            (r#"</x>; rel="prev", <?p=2#f>; title="a, b"; REL=Next"#, "http://h/a?p=2"),
            (r#"<http://h:80/z>; rel="last next""#, "http://h/z"),
        ] {
            assert_eq!(follow(link).expect("fine").as_deref(), Some(expected), "{link}");
        }
        for last in ["", r#"</x>; rel="prev""#, "</x>", "nonsense", r#"</x>; rel="prev"; rel="next""#] {
            assert_eq!(follow(last), Ok(None), "{last}");
        }
        for away in [
            "<http://evil/>; rel=next",
            "<//evil/a>; rel=next",
            "<https://h/a>; rel=next",
            "<http://h:81/>; rel=next",
            "<http://u:p@h/>; rel=next",
        ] {
            assert!(follow(away).is_err(), "{away}");
        }
    }
}
