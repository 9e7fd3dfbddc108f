//! Plain paths such as `.data.items` into JSON that is carried as text: what they find is found, not read.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer as _,
    de::{self, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::kernel::error::ValueFault;

/// Names of members, outermost first; none is the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// Reads `.`, `.name` or `.name.name`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let wrong = || ValueFault::new("bad-path", "expected a plain path such as \".data.items\", or \".\"");
        let names = text.trim().strip_prefix('.').ok_or_else(wrong)?;
        if names.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let is_plain = |name: &str| {
            !name.starts_with(|c: char| c.is_ascii_digit())
                && !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let names: Vec<String> = names.split('.').map(str::to_owned).collect();
        if names.iter().all(|name| is_plain(name)) { Ok(Self(names)) } else { Err(wrong()) }
    }

    /// What stands there, as it is written; `None`: nothing does.
    pub(crate) fn find<'a>(&self, value: &'a RawValue) -> Option<&'a RawValue> {
        self.0.iter().try_fold(value, |value, name| member(value, name))
    }
}

/// An object's member.
pub(crate) fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    if !object.get().starts_with('{') {
        return None;
    }
    serde_json::Deserializer::from_str(object.get()).deserialize_map(Member(name)).ok().flatten()
}

/// An array's elements; `None`: it is none.
pub(crate) fn elements(array: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(array.get()).ok()
}

/// A text's content, or a number as it is written: what tells one thing from another. `None`: neither.
pub(crate) fn identity(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' if !text.contains('\\') => Some(Cow::Borrowed(&text[1..text.len() - 1])),
        b'"' => serde_json::from_str(text).ok().map(Cow::Owned),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// Picks one member and passes over the others.
struct Member<'n>(&'n str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<Name<'de>>()? {
            if name.0 == self.0 {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// A member's name, borrowed where it can be.
struct Name<'de>(Cow<'de, str>);

impl<'de> de::Deserialize<'de> for Name<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Option<String> {
        let raw = RawValue::from_string(text.to_owned()).expect("JSON");
        Path::parse(path).expect("a path").find(&raw).map(|found| found.get().to_owned())
    }

    #[test]
    fn what_is_found_is_as_it_was_written() {
        let text = r#"{"x":1, "\u0064ata" : {"items": [1.10, 1e400, "\u00e9"], "next":null}}"#;
        assert_eq!(found(".data.items", text).as_deref(), Some(r#"[1.10, 1e400, "\u00e9"]"#));
        assert_eq!(found(".data.next", text).as_deref(), Some("null"));
        assert_eq!(found(".", "[1]").as_deref(), Some("[1]"));
        assert_eq!(found(".data.none", text), None);
        assert_eq!(found(".x.y", text), None);
        for wrong in ["", "items", "..a", ".a.", ".a[0]", ".a | .b", ".1", ".a-b"] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn texts_and_numbers_tell_things_apart() {
        let told = |text: &str| {
            let raw = RawValue::from_string(text.to_owned()).expect("JSON");
            identity(&raw).map(Cow::into_owned)
        };
        assert_eq!(told(r#""a\u0062""#).as_deref(), Some("ab"));
        assert_eq!(told("1.10").as_deref(), Some("1.10"));
        assert_eq!((told("null"), told("{}"), told("true")), (None, None, None));
    }
}
