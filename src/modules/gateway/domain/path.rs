//! The canonical path: the one spelling that is matched, authorised and forwarded. What could be read in two ways is
//! refused, never guessed.

use std::borrow::Cow;

/// Why a path has no canonical spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathFault {
    /// It does not begin with a slash.
    #[error("the path does not begin with a slash")]
    Relative,
    /// `%` without two hexadecimal digits.
    #[error("the path has a % that encodes nothing")]
    BadEncoding,
    /// A slash, backslash or NUL that is encoded, once or twice, or a plain backslash.
    #[error("the path has an encoded slash, a backslash or a NUL, which servers read differently")]
    Ambiguous,
    /// `..;`, which some servers take for `..`.
    #[error("the path has a dot segment with parameters, which servers read differently")]
    DotParameters,
}

/// The canonical spelling (RFC 3986 §6.2.2): unreserved characters plain, everything else that is no path character
/// encoded with upper-case digits, empty segments merged, dot segments resolved. A path that is canonical already is
/// borrowed.
pub(crate) fn canonical(raw: &str) -> Result<Cow<'_, str>, PathFault> {
    if is_plain(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    if !raw.starts_with('/') {
        return Err(PathFault::Relative);
    }
    let normal = normal_encoding(raw.as_bytes())?;
    resolve(&normal).map(Cow::Owned)
}

/// Whether the path is canonical at a glance: plain characters, and no segment that is empty or begins with a dot.
fn is_plain(raw: &str) -> bool {
    let mut after_slash = false;
    for (at, byte) in raw.bytes().enumerate() {
        match byte {
            b'/' if after_slash => return false,
            b'/' => after_slash = true,
            _ if at == 0 => return false,
            b'.' if after_slash => return false,
            _ if is_path_character(byte) => after_slash = false,
            _ => return false,
        }
    }
    !raw.is_empty()
}

/// The characters that stand plain in a path: `pchar` (RFC 3986 §3.3) without the percent sign, and the slash.
const fn is_path_character(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@'
        )
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn normal_encoding(raw: &[u8]) -> Result<String, PathFault> {
    let mut normal = String::with_capacity(raw.len() + 8);
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        match byte {
            b'\\' | 0 => return Err(PathFault::Ambiguous),
            b'%' => {
                let byte = hex_pair(raw.get(at..at + 2)).ok_or(PathFault::BadEncoding)?;
                at += 2;
                match byte {
                    b'/' | b'\\' | 0 => return Err(PathFault::Ambiguous),
                    byte if is_unreserved(byte) => normal.push(char::from(byte)),
                    byte => push_encoded(&mut normal, byte),
                }
            }
            byte if is_path_character(byte) => normal.push(char::from(byte)),
            byte => push_encoded(&mut normal, byte),
        }
    }
    if is_doubly_encoded(&normal) { Err(PathFault::Ambiguous) } else { Ok(normal) }
}

fn hex_pair(digits: Option<&[u8]>) -> Option<u8> {
    let [high, low] = *digits? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn push_encoded(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Whether a second decoding would bring a slash, a backslash, a NUL, a dot or another percent sign to light.
fn is_doubly_encoded(normal: &str) -> bool {
    normal.match_indices("%25").any(|(at, _)| {
        let next = normal.as_bytes().get(at + 3..at + 5);
        matches!(hex_pair(next), Some(b'/' | b'\\' | b'.' | b'%' | 0))
    })
}

/// Merges empty segments and resolves dot segments (RFC 3986 §5.2.4); `..` at the root stays there.
fn resolve(path: &str) -> Result<String, PathFault> {
    let mut resolved = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "" | "." => {}
            ".." => resolved.truncate(resolved.rfind('/').unwrap_or(0)),
            _ if hides_dots(segment) => return Err(PathFault::DotParameters),
            _ => {
                resolved.push('/');
                resolved.push_str(segment);
                continue;
            }
        }
        // `/a/`, `/a/.` and `/a/b/..` name a folder.
        if is_last {
            resolved.push('/');
        }
    }
    Ok(resolved)
}

fn hides_dots(segment: &str) -> bool {
    let rest = segment.trim_start_matches('.');
    let dots = segment.len() - rest.len();
    (1..=2).contains(&dots) && (rest.starts_with(';') || rest.starts_with("%3B"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/", "/")]
    #[case("/a/b", "/a/b")]
    #[case("//a///b//", "/a/b/")]
    #[case("/a/./b/../c", "/a/c")]
    #[case("/a/..", "/")]
    #[case("/a/b/.", "/a/b/")]
    #[case("/../../etc", "/etc")]
    #[case("/%61%7e%2E%2e/x", "/a~../x")]
    #[case("/a/%2e%2e/b", "/b")]
    #[case("/caf%c3%a9", "/caf%C3%A9")]
    #[case("/café", "/caf%C3%A9")]
    #[case("/a b\"{}", "/a%20b%22%7B%7D")]
    #[case("/100%25", "/100%25")]
    #[case("/.well-known/jwks.json", "/.well-known/jwks.json")]
    #[case("/...;x", "/...;x")]
    fn one_spelling(#[case] raw: &str, #[case] spelling: &str) {
        assert_eq!(canonical(raw).as_deref(), Ok(spelling));
    }

    #[rstest]
    #[case("", PathFault::Relative)]
    #[case("*", PathFault::Relative)]
    #[case("a/b", PathFault::Relative)]
    #[case("/a%2fb", PathFault::Ambiguous)]
    #[case("/a%2Fb", PathFault::Ambiguous)]
    #[case("/a%5cb", PathFault::Ambiguous)]
    #[case("/a\\b", PathFault::Ambiguous)]
    #[case("/a%00", PathFault::Ambiguous)]
    #[case("/a%252fb", PathFault::Ambiguous)]
    #[case("/a%25%32%66b", PathFault::Ambiguous)]
    #[case("/%252e%252e/b", PathFault::Ambiguous)]
    #[case("/a%25252fb", PathFault::Ambiguous)]
    #[case("/a%", PathFault::BadEncoding)]
    #[case("/a%2", PathFault::BadEncoding)]
    #[case("/a%zz", PathFault::BadEncoding)]
    #[case("/a%+1", PathFault::BadEncoding)]
    #[case("/a/..;/b", PathFault::DotParameters)]
    #[case("/a/%2e%2e%3b/b", PathFault::DotParameters)]
    fn refused(#[case] raw: &str, #[case] fault: PathFault) {
        assert_eq!(canonical(raw), Err(fault));
    }

    proptest! {
        #[test]
        fn canonical_is_final_and_climbs_nowhere(raw in "/([a.%/~;é\\\\ ]|%2[eEfF5]|%25|[.]{2}/){0,24}") {
            if let Ok(once) = canonical(&raw) {
                let once = once.into_owned();
                prop_assert!(once.starts_with('/'));
                prop_assert!(!once.contains("//"));
                prop_assert!(once.split('/').all(|segment| segment != "." && segment != ".."));
                prop_assert!(once.is_ascii());
                let twice = canonical(&once);
                prop_assert_eq!(twice.as_deref(), Ok(once.as_str()));
            }
        }

        #[test]
        fn never_panics(raw: String) {
            let _ = canonical(&raw);
        }
    }
}
