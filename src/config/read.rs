//! Reads a tree into a struct through serde. Its errors carry the key and what was expected, so that the caller can note
//! them, mend the tree and go on.

use std::{collections::btree_map, fmt, slice};

use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
    value::StrDeserializer,
};

use super::{
    key::{Key, Segment},
    node::{Node, Value},
};

/// What stands in for a text until one is accepted: one for each form that a setting can have.
const SAMPLES: [&str; 6] = ["", "127.0.0.1", "127.0.0.0/8", "1s", "1B", "1/second"];

/// The first thing that did not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// From the leaf to the root, while the error travels up.
    way: Vec<Segment>,
    /// What is wrong.
    pub(super) kind: Kind,
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The table at the key has a member that it should not have.
    Unknown { name: String, expected: &'static [&'static str] },
    /// The table at the key lacks a member.
    Missing(&'static str),
    /// The value at the key is none of these.
    Variant(&'static [&'static str]),
    /// The value at the key is not what was expected.
    Value(String),
    /// The value at the key is text where a list or a table is wanted.
    TextForContainer(&'static str),
}

impl Misfit {
    fn new(kind: Kind) -> Self {
        Self { way: Vec::new(), kind }
    }

    fn under(mut self, segment: Segment) -> Self {
        self.way.push(segment);
        self
    }

    /// Where it is.
    pub(super) fn key(&self) -> Key {
        Key(self.way.iter().rev().cloned().collect())
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Unknown { name, .. } => write!(f, "unknown key `{name}`"),
            Kind::Missing(name) => write!(f, "missing `{name}`"),
            Kind::Variant(_) => f.write_str("not one of the choices"),
            Kind::Value(detail) => f.write_str(detail),
            Kind::TextForContainer(wanted) => write!(f, "expected {wanted}"),
        }
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Value(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::Value(format!("expected {}", in_words(&expected.to_string()))))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::Variant(expected))
    }

    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown { name: name.to_owned(), expected })
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Kind::Missing(name))
    }
}

/// serde's names of types, for people.
fn in_words(expected: &str) -> String {
    match expected {
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, at least 0".to_owned(),
        text if text.starts_with("struct ") => "a table".to_owned(),
        text => text.to_owned(),
    }
}

type Read<T> = Result<T, Misfit>;

impl<'de> Node {
    fn visit_as_it_is<V: Visitor<'de>>(&'de self, visitor: V) -> Read<V::Value> {
        match &self.value {
            Value::Text(text) | Value::String(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Other(_) => Err(de::Error::invalid_type(Unexpected::Other("value"), &visitor)),
            Value::Array(elements) => visitor.visit_seq(Elements { rest: elements.iter(), index: 0 }),
            Value::Table(members) => visitor.visit_map(Members { rest: members.iter(), current: None }),
            Value::StandIn(_) => visitor.visit_bool(false),
        }
    }

    fn visit_number<V: Visitor<'de>>(&'de self, visitor: V) -> Read<V::Value> {
        match &self.value {
            Value::StandIn(_) => visitor.visit_u64(1),
            Value::Text(text) => match text.trim().parse() {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => visitor.visit_str(text),
            },
            _ => self.visit_as_it_is(visitor),
        }
    }

    fn visit_text<V: Visitor<'de>>(&'de self, visitor: V) -> Read<V::Value> {
        match &self.value {
            Value::StandIn(refused) => match SAMPLES.get(*refused) {
                Some(sample) => visitor.visit_str(sample),
                None => Err(Misfit::new(Kind::Value("no value fits".to_owned()))),
            },
            _ => self.visit_as_it_is(visitor),
        }
    }

    fn visit_container<V: Visitor<'de>>(&'de self, wanted: &'static str, visitor: V) -> Read<V::Value> {
        match &self.value {
            Value::Text(_) => Err(Misfit::new(Kind::TextForContainer(wanted))),
            Value::StandIn(_) if wanted == "a list" => visitor.visit_seq(Elements { rest: [].iter(), index: 0 }),
            Value::StandIn(_) => visitor.visit_map(Members { rest: btree_map::Iter::default(), current: None }),
            _ => self.visit_as_it_is(visitor),
        }
    }
}

macro_rules! forward {
    ($($way:ident: $($method:ident)*;)*) => {$($(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            self.$way(visitor)
        }
    )*)*};
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Misfit;

    forward! {
        visit_number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
            deserialize_u32 deserialize_u64;
        visit_text: deserialize_char deserialize_str deserialize_string deserialize_identifier;
        visit_as_it_is: deserialize_bytes deserialize_byte_buf deserialize_unit;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let Value::Text(text) = &self.value else { return self.visit_as_it_is(visitor) };
        match text.trim() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            text if text.starts_with(['{', '[']) => Err(Misfit::new(Kind::TextForContainer("a table"))),
            text => visitor.visit_str(text),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match &self.value {
            Value::Text(text) => match text.trim().parse() {
                Ok(value) => visitor.visit_bool(value),
                Err(_) => visitor.visit_str(text),
            },
            _ => self.visit_as_it_is(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match &self.value {
            Value::StandIn(_) => visitor.visit_f64(1.0),
            Value::Text(text) => match text.trim().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => visitor.visit_str(text),
            },
            _ => self.visit_as_it_is(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.value {
            Value::StandIn(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.visit_container("a list", visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.visit_container("a list", visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Read<V::Value> {
        self.visit_container("a list", visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.visit_container("a table", visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.visit_container("a table", visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        let chosen = match &self.value {
            Value::Text(text) | Value::String(text) => text.as_str(),
            Value::StandIn(_) => variants.first().copied().unwrap_or_default(),
            _ => return Err(Misfit::new(Kind::Variant(variants))),
        };
        visitor.visit_enum(chosen.into_deserializer())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_unit()
    }
}

struct Members<'de> {
    rest: btree_map::Iter<'de, String, Node>,
    current: Option<(&'de String, &'de Node)>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        self.current = self.rest.next();
        let Some((name, _)) = self.current else { return Ok(None) };
        let name: StrDeserializer<'_, Misfit> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        let Some((name, node)) = self.current else { return Err(de::Error::custom("a value without a key")) };
        seed.deserialize(node).map_err(|misfit| misfit.under(Segment::Name(name.clone())))
    }
}

struct Elements<'de> {
    rest: slice::Iter<'de, Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        let Some(node) = self.rest.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(node).map(Some).map_err(|misfit| misfit.under(Segment::Index(index)))
    }
}
