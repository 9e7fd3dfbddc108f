//! JSON that is carried, not parsed: numbers, text and order leave byte for byte as they came.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use serde_json::value::RawValue;

use crate::kernel::error::ValueFault;

/// The deepest nesting that is accepted, the same as everywhere in the product.
pub(crate) const MAX_DEPTH: usize = 128;

/// The longest number that is accepted, in characters: reading a number takes time with the square of its length.
pub(crate) const MAX_NUMBER: usize = 1024;

/// A JSON value as text.
pub(crate) type Json = Arc<RawValue>;

/// `null`.
pub(crate) fn null() -> Json {
    Arc::from(RawValue::NULL.to_owned())
}

/// Takes text as one JSON value (RFC 8259) that is [`check`]ed; an empty text is `null`, as a 204 means it.
pub(crate) fn take(text: Vec<u8>) -> Result<Json, ValueFault> {
    let text = String::from_utf8(text).map_err(|_| ValueFault::new("not-utf8", "the text is not UTF-8"))?;
    if text.trim().is_empty() {
        return Ok(null());
    }
    // Reading it as raw text looks at every byte and does not recurse.
    let raw = RawValue::from_string(text).map_err(|fault| ValueFault::new("not-json", format!("not JSON: {fault}")))?;
    check(raw.get())?;
    Ok(Arc::from(raw))
}

/// Refuses JSON text that nests deeper than [`MAX_DEPTH`], writes a number longer than [`MAX_NUMBER`], or names a member
/// twice (RFC 8259 §4 leaves those open, attackers use them). The text MUST be JSON already.
pub(crate) fn check(text: &str) -> Result<(), ValueFault> {
    let bytes = text.as_bytes();
    let mut levels: Vec<Option<Names<'_>>> = Vec::new();
    let (mut at, mut name_follows) = (0, false);
    while let Some(byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'{' | b'[' => {
                if levels.len() == MAX_DEPTH {
                    return Err(ValueFault::new("too-deep", format!("more than {MAX_DEPTH} levels")));
                }
                name_follows = *byte == b'{';
                levels.push(name_follows.then(Names::default));
            }
            b'}' | b']' => {
                levels.pop();
                name_follows = false;
            }
            b',' => name_follows = matches!(levels.last(), Some(Some(_))),
            b'"' => {
                at = end_of_text(bytes, at);
                if std::mem::take(&mut name_follows)
                    && let Some(Some(names)) = levels.last_mut()
                    && !names.insert(&text[start..at])
                {
                    return Err(ValueFault::new("duplicate-member", "a member stands twice"));
                }
            }
            b'-' | b'0'..=b'9' => {
                let is_number = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                at += bytes[at..].iter().take_while(is_number).count();
                if at - start > MAX_NUMBER {
                    return Err(ValueFault::new(
                        "number-too-long",
                        format!("a number of more than {MAX_NUMBER} digits"),
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where a text ends, after its closing quote; `at` is after the opening one.
fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The names of one object: a short list, or a set.
#[derive(Default)]
struct Names<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    /// So many names are compared one by one.
    const FEW: usize = 16;

    /// Notes a name, given with its quotes; whether it is new.
    fn insert(&mut self, quoted: &'a str) -> bool {
        let bare = &quoted[1..quoted.len() - 1];
        let escaped = bare.contains('\\').then(|| serde_json::from_str(quoted).ok()).flatten();
        let name = escaped.map_or(Cow::Borrowed(bare), Cow::Owned);
        if self.many.is_empty() && self.few.len() < Self::FEW {
            let is_new = !self.few.contains(&name);
            self.few.push(name);
            return is_new;
        }
        self.many.extend(self.few.drain(..));
        self.many.insert(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_byte_for_byte() {
        for text in [r#"{"b":1.10,"a":12345678901234567890123}"#, r#"["\u00e9",-0,1E400]"#, "null"] {
            assert_eq!(take(text.into()).expect("valid").get(), text);
        }
        assert_eq!(take(Vec::new()).expect("empty").get(), "null");
    }

    #[test]
    fn long_numbers_and_repeated_members_are_refused() {
        assert!(take(format!("[{}]", "9".repeat(MAX_NUMBER)).into()).is_ok());
        for long in ["9".repeat(MAX_NUMBER + 1), format!("{{\"id\":-0.{}}}", "1".repeat(MAX_NUMBER))] {
            assert_eq!(take(long.into()).expect_err("long").code, "number-too-long");
        }
        for twice in [r#"{"a":1,"a":2}"#, r#"[{"x":{"a":1 , "b":[{},"a"], "\u0061":2}}]"#] {
            assert_eq!(take(twice.into()).expect_err("twice").code, "duplicate-member", "{twice}");
        }
        let many: Vec<String> = (0..40).map(|name| format!("\"n{name}\":\"n{name}\"")).collect();
        assert!(take(format!("{{{}}}", many.join(",")).into()).is_ok());
        assert!(take(format!("{{{},\"n3\":1}}", many.join(",")).into()).is_err());
        assert!(take(r#"{"a":{"a":"a","b":["a","a"]},"b":"\\","c":"\"a\":1"}"#.into()).is_ok());
    }

    #[test]
    fn garbage_and_depth_are_refused() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(take(nested(128).into()).is_ok());
        assert_eq!(take(nested(129).into()).expect_err("deep").code, "too-deep");
        assert_eq!(take(nested(100_000).into()).expect_err("deep").code, "too-deep");
        assert!(take(r#""[[[[""#.into()).is_ok());
        for wrong in [&b"<html>"[..], b"{", b"1 2", b"\xff", b"NaN", b"{\"a\":}"] {
            assert!(take(wrong.to_vec()).is_err(), "{wrong:?}");
        }
    }
}
