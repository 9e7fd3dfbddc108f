//! A source's address with places for arguments. An argument is data: it can never change the host, the depth of the
//! path, or the query's parameters.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::kernel::error::ValueFault;

/// Arguments by name.
pub(crate) type Arguments = BTreeMap<String, String>;

/// An address such as `http://host/users/{id}?lang={lang}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlTemplate {
    /// Scheme and authority, without arguments.
    origin: String,
    /// Path and query.
    parts: Vec<Part>,
    /// How many parts belong to the path.
    path_parts: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Argument(String),
}

/// An address cannot be made from these arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FillFault {
    /// An argument is not there.
    #[error("the argument `{0}` is missing")]
    Missing(String),
    /// The arguments would change the path.
    #[error("the arguments would make an empty, `.` or `..` path segment")]
    Segment,
}

impl UrlTemplate {
    /// Reads a template: http or https, a host, places only in path and query, no fragment, no user information.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let wrong = |detail: &str| ValueFault::new("bad-url", detail.to_owned());
        let after_scheme = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let after_scheme = after_scheme.ok_or_else(|| wrong("expected an http:// or https:// address"))?;
        let scheme = &text[..text.len() - after_scheme.len()];
        let end = after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len());
        let (authority, rest) = after_scheme.split_at(end);
        if authority.is_empty() || authority.contains('@') || authority.contains(['{', '}']) {
            return Err(wrong("the host must be literal, without user information"));
        }
        let is_safe =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'|');
        if rest.contains('#') || !text.bytes().all(is_safe) {
            return Err(wrong("expected an address without fragment, blanks or characters that must be encoded"));
        }
        let query = rest.find('?').unwrap_or(rest.len());
        let path = if query == 0 { "/" } else { &rest[..query] };
        let mut parts = split(path)?;
        let path_parts = parts.len();
        parts.extend(split(&rest[query..])?);
        Ok(Self { origin: format!("{scheme}{authority}"), parts, path_parts })
    }

    /// The names of the arguments, in order, each once.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for part in &self.parts {
            if let Part::Argument(name) = part
                && !names.contains(&name.as_str())
            {
                names.push(name.as_str());
            }
        }
        names
    }

    /// The host, with its port if there is one.
    pub(crate) fn authority(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The address for these arguments.
    pub(crate) fn fill(&self, arguments: &Arguments) -> Result<String, FillFault> {
        let mut url = self.origin.clone();
        for (index, part) in self.parts.iter().enumerate() {
            if index == self.path_parts {
                self.check_path(&url)?;
            }
            match part {
                Part::Text(text) => url.push_str(text),
                Part::Argument(name) => {
                    encode(arguments.get(name).ok_or_else(|| FillFault::Missing(name.clone()))?, &mut url);
                }
            }
        }
        if self.parts.len() == self.path_parts {
            self.check_path(&url)?;
        }
        Ok(url)
    }

    /// A segment that came out as `.` or `..` would be resolved away by whoever reads it, an empty one by some.
    fn check_path(&self, url: &str) -> Result<(), FillFault> {
        if self.parts[..self.path_parts].iter().all(|part| matches!(part, Part::Text(_))) {
            return Ok(());
        }
        let segments: Vec<&str> = url[self.origin.len()..].split('/').skip(1).collect();
        let last = segments.len().saturating_sub(1);
        for (index, segment) in segments.into_iter().enumerate() {
            let trailing_slash_of_the_template =
                index == last && matches!(&self.parts[self.path_parts - 1], Part::Text(text) if text.ends_with('/'));
            if segment.is_empty() && !trailing_slash_of_the_template {
                return Err(FillFault::Segment);
            }
            if matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..") {
                return Err(FillFault::Segment);
            }
        }
        Ok(())
    }
}

fn split(text: &str) -> Result<Vec<Part>, ValueFault> {
    let wrong = |detail: String| ValueFault::new("bad-url", detail);
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, place) = rest.split_at(open);
        let close = place.find('}').filter(|_| place.starts_with('{'));
        let close = close.ok_or_else(|| wrong(format!("an unpaired brace in {text:?}")))?;
        let name = &place[1..close];
        if !is_name(name) {
            return Err(wrong(format!("{name:?} is no argument name; expected letters, digits, `_` and `-`")));
        }
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Argument(name.to_owned()));
        rest = &place[close + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// Names of sources, results and arguments: letters, digits, `_` and `-`.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encode(value: &str, url: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(name: &str, value: &str) -> Arguments {
        Arguments::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn arguments_are_encoded() {
        let template = UrlTemplate::parse("http://h:1/u/{id}/x?q={id}&k=v").expect("valid");
        assert_eq!(template.arguments(), ["id"]);
        assert_eq!(template.authority(), "h:1");
        let url = template.fill(&one("id", "a/b?c=d&e#ü")).expect("filled");
        assert_eq!(url, "http://h:1/u/a%2Fb%3Fc%3Dd%26e%23%C3%BC/x?q=a%2Fb%3Fc%3Dd%26e%23%C3%BC&k=v");
        assert_eq!(template.fill(&Arguments::new()), Err(FillFault::Missing("id".to_owned())));
        assert_eq!(UrlTemplate::parse("http://h").expect("bare").fill(&Arguments::new()).expect("ok"), "http://h/");
        assert_eq!(
            UrlTemplate::parse("http://h?a={a}").expect("bare").fill(&one("a", "")).expect("ok"),
            "http://h/?a="
        );
    }

    #[test]
    fn dot_and_empty_segments_are_refused() {
        let template = UrlTemplate::parse("http://h/u/{id}").expect("valid");
        for wrong in ["", ".", ".."] {
            assert_eq!(template.fill(&one("id", wrong)), Err(FillFault::Segment), "{wrong:?}");
        }
        assert!(template.fill(&one("id", "...")).is_ok());
        let joined = UrlTemplate::parse("http://h/.{id}/x").expect("valid");
        assert_eq!(joined.fill(&one("id", ".")), Err(FillFault::Segment));
    }

    #[test]
    fn a_bad_template_is_refused() {
        for wrong in [
            "ftp://h/",
            "h/x",
            "http://",
            "http://{host}/",
            "http://u:p@h/",
            "http://h/{",
            "http://h/}",
            "http://h/{}",
            "http://h/{a b}",
            "http://h/#f",
            "http://h/ x",
            "http://h/{a}}",
            "http://h/ü",
        ] {
            assert!(UrlTemplate::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn an_argument_never_changes_the_shape(value in any::<String>(), other in any::<String>()) {
            let template = UrlTemplate::parse("http://host:80/a/{x}/b?q={y}&r=1").expect("valid");
            let arguments = Arguments::from([("x".to_owned(), value), ("y".to_owned(), other)]);
            if let Ok(url) = template.fill(&arguments) {
                prop_assert!(url.starts_with("http://host:80/a/"));
                prop_assert_eq!(url.matches('/').count(), 5);
                prop_assert_eq!(url.matches('?').count(), 1);
                prop_assert_eq!(url.matches('&').count(), 1);
                prop_assert!(!url.contains('#') && url.is_ascii());
                prop_assert!(!url.contains("/./") && !url.contains("/../") && !url.contains("//b"));
            }
        }
    }
}
