//! `Cache-Control` (RFC 9111 §5.2) and its targeted form (RFC 9213), read as they are written: names without regard to
//! case, values as tokens or quoted strings, and nothing that stands inside a quoted string.

use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, PRAGMA};

use super::{policy::says, targeted};

const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// The longest time that is told apart from for ever (RFC 9111 §1.2.2).
const MOST_SECONDS: u64 = 1 << 31;

/// The directives of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Directives {
    list: Vec<(String, Option<String>)>,
    /// Whether they are from a field for caches like us alone, in whose presence the others count for nothing.
    pub(super) targeted: bool,
}

impl Directives {
    /// The directives of a request. Without any, `Pragma: no-cache` is one (RFC 9111 §5.4).
    pub(super) fn of_request(headers: &HeaderMap) -> Self {
        let mut read = Self::of_field(headers);
        if read.is_empty() && !headers.contains_key(CACHE_CONTROL) && says(headers, &PRAGMA, "no-cache") {
            read.list.push(("no-cache".to_owned(), None));
        }
        read
    }

    fn of_field(headers: &HeaderMap) -> Self {
        Self::read(headers.get_all(CACHE_CONTROL).filter_map(|value| value.to_str().ok()))
    }

    /// The directives of a response that count for a cache in front of its server.
    pub(super) fn of_response(headers: &HeaderMap) -> Self {
        if headers.contains_key(CDN_CACHE_CONTROL) {
            let lines = headers.get_all(CDN_CACHE_CONTROL).map(|value| value.to_str());
            let lines: Option<Vec<&str>> = lines.map(Result::ok).collect();
            if let Some(list) = lines.and_then(|lines| targeted::read(&lines.join(", "))) {
                return Self { list, targeted: true };
            }
        }
        Self::of_field(headers)
    }

    /// Reads header lines.
    pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut list = Vec::new();
        for line in lines {
            read_line(line, &mut list);
        }
        Self { list, targeted: false }
    }

    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether the directive is there, with a value or without.
    pub(super) fn has(&self, name: &str) -> bool {
        self.list.iter().any(|(found, _)| found == name)
    }

    /// Whether the directive is there without a list of fields that it is limited to.
    pub(super) fn has_whole(&self, name: &str) -> bool {
        self.list.iter().any(|(found, value)| found == name && value.as_deref().is_none_or(str::is_empty))
    }

    /// The fields that a directive is limited to, such as those of `no-cache="set-cookie"`.
    pub(super) fn fields(&self, name: &str) -> impl Iterator<Item = HeaderName> {
        let values = self.list.iter().filter(move |(found, _)| found == name).filter_map(|(_, value)| value.as_deref());
        values.flat_map(|value| value.split(',')).filter_map(|field| HeaderName::try_from(field.trim()).ok())
    }

    /// The directive's time in seconds; a value that is none counts as no time at all, and of several the least counts.
    pub(super) fn seconds(&self, name: &str) -> Option<u64> {
        let values = self.list.iter().filter(|(found, _)| found == name);
        values.map(|(_, value)| value.as_deref().and_then(delta_seconds).unwrap_or(0)).min()
    }

    /// The same for a directive that may stand without a value, which then counts as `without`.
    pub(super) fn seconds_or(&self, name: &str, without: u64) -> Option<u64> {
        if self.list.iter().any(|(found, value)| found == name && value.is_none()) {
            return Some(without);
        }
        self.seconds(name)
    }
}

/// A number of seconds (RFC 9111 §1.2.2): digits alone; more than fits counts as the most.
pub(super) fn delta_seconds(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse::<u64>().map_or(MOST_SECONDS, |seconds| seconds.min(MOST_SECONDS)))
}

fn read_line(line: &str, list: &mut Vec<(String, Option<String>)>) {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return;
        }
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let name = &rest[..end];
        let has_value = rest[end..].starts_with('=');
        rest = &rest[end..];
        if !has_value {
            list.push((name.trim_end().to_ascii_lowercase(), None));
            continue;
        }
        // Space is not allowed around the sign; a name that ends in one is no name that anybody asks for.
        let name = name.to_ascii_lowercase();
        rest = &rest[1..];
        if let Some(quoted) = rest.strip_prefix('"') {
            let (value, after) = unquote(quoted);
            list.push((name, Some(value)));
            rest = &after[after.find(',').unwrap_or(after.len())..];
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            list.push((name, Some(rest[..end].trim_end().to_owned())));
            rest = &rest[end..];
        }
    }
}

/// A quoted string's text, and what comes after it.
pub(super) fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Directives {
        Directives::read([line].into_iter())
    }

    #[test]
    fn names_have_no_case_and_quotes_hide_what_is_in_them() {
        let read = read("No-StOrE , extension=\"max-age=3600, private\",MAX-AGE=\"1\"");
        assert!(read.has("no-store") && !read.has("private"));
        assert_eq!(read.seconds("max-age"), Some(1));
    }

    #[test]
    fn times_are_digits_and_the_least_counts() {
        for (line, seconds) in [
            ("max-age=3600", Some(3600)),
            ("max-age=003600", Some(3600)),
            ("max-age='3600'", Some(0)),
            ("max-age=-1", Some(0)),
            ("max-age=3600.5", Some(0)),
            ("max-age= 3600", Some(0)),
            ("max-age =3600", None),
            ("max-age", Some(0)),
            ("max-age=99999999999999999999999", Some(MOST_SECONDS)),
            ("max-age=1800, max-age=1", Some(1)),
            ("s-maxage=5", None),
        ] {
            assert_eq!(read(line).seconds("max-age"), seconds, "{line}");
        }
        assert_eq!(read("max-stale").seconds_or("max-stale", 9), Some(9));
        assert_eq!(read("max-stale=3").seconds_or("max-stale", 9), Some(3));
    }

    #[test]
    fn a_directive_may_be_limited_to_fields() {
        let read = read("no-cache=\"a, Set-Cookie\", private");
        assert!(read.has("no-cache") && !read.has_whole("no-cache") && read.has_whole("private"));
        let fields: Vec<String> = read.fields("no-cache").map(|name| name.to_string()).collect();
        assert_eq!(fields, ["a", "set-cookie"]);
    }

    #[test]
    fn an_unclosed_quote_ends_with_the_line() {
        let read = read("a=\"b, no-store");
        assert!(!read.has("no-store"));
    }

    #[test]
    fn the_targeted_field_counts_alone_when_it_is_sound() {
        let headers = |cdn: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, "no-store".parse().expect("a value"));
            headers.insert(CDN_CACHE_CONTROL, cdn.parse().expect("a value"));
            headers
        };
        let read = Directives::of_response(&headers("max-age=60, stale-if-error=5"));
        assert!(read.targeted && !read.has("no-store"));
        assert_eq!((read.seconds("max-age"), read.seconds("stale-if-error")), (Some(60), Some(5)));
        for unsound in ["max-age=10000, &&&&&", "max-age=\"10000\"", "", "MaX-aGe=3"] {
            let read = Directives::of_response(&headers(unsound));
            assert!(!read.targeted && read.has("no-store"), "{unsound}");
        }
    }
}
