//! TOML text to a tree with places. Every syntax error is found in one run.

use std::{ops::Range, path::Path, sync::Arc};

use toml::de::{DeTable, DeValue};

use super::{
    fault::{Fault, Place},
    node::{Node, Value},
};

/// What makes a place of a position in the text.
enum Placing<'a> {
    /// Every value has this place, whatever its position.
    Fixed(Place),
    /// The position in a file.
    File { layer: usize, path: Arc<Path>, text: &'a str },
}

impl Placing<'_> {
    fn place(&self, span: Option<Range<usize>>) -> Place {
        match self {
            Self::Fixed(place) => place.clone(),
            Self::File { layer, path, text } => {
                let (line, column) = span.map_or((0, 0), |span| line_and_column(text, span.start));
                Place::File { layer: *layer, path: Arc::clone(path), line, column }
            }
        }
    }
}

/// Both counted from 1; the column in characters.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    // Every character has exactly one byte that is not a continuation byte.
    let column = before.iter().skip(start).filter(|byte| (**byte & 0xC0) != 0x80).count() + 1;
    (line, column)
}

/// Reads a file's text.
pub(super) fn file(layer: usize, path: &Arc<Path>, text: &str) -> Result<Node, Vec<Fault>> {
    document(text, &Placing::File { layer, path: Arc::clone(path), text })
}

/// Reads a text whose values all stand at `place`.
pub(super) fn whole(place: &Place, text: &str) -> Result<Node, Vec<Fault>> {
    document(text, &Placing::Fixed(place.clone()))
}

/// Reads one TOML value, such as `["a", "b"]` or `{ limit = "10/minute" }`.
pub(super) fn value(place: &Place, text: &str) -> Option<Node> {
    let value = DeValue::parse(text.trim()).ok()?.into_inner();
    Some(Node::new(convert(value, &Placing::Fixed(place.clone())), place.clone()))
}

fn document(text: &str, placing: &Placing<'_>) -> Result<Node, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let fault = |error: &toml::de::Error| Fault::at(placing.place(error.span()), syntax_detail(error.message()));
        return Err(errors.iter().map(fault).collect());
    }
    let mut root = Node::new(members(table.into_inner(), placing), placing.place(None));
    if let (Node { place: Place::File { line, column, .. }, .. }, false) = (&mut root, text.is_empty()) {
        (*line, *column) = (1, 1);
    }
    Ok(root)
}

/// The parser's message in one line.
fn syntax_detail(message: &str) -> String {
    format!("not valid TOML: {}", message.lines().map(str::trim).collect::<Vec<_>>().join(", "))
}

fn members(table: DeTable<'_>, placing: &Placing<'_>) -> Value {
    let members = table.into_iter().map(|(key, value)| {
        let place = placing.place(Some(key.span()));
        (key.into_inner().into_owned(), Node::new(convert(value.into_inner(), placing), place))
    });
    Value::Table(members.collect())
}

fn convert(value: DeValue<'_>, placing: &Placing<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        // A number too large for the type is kept as it was written, so that the fault can show it.
        DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
            .map_or_else(|_| Value::Other(number.to_string()), Value::Integer),
        DeValue::Float(number) => number
            .as_str()
            .replace('_', "")
            .parse()
            .map_or_else(|_| Value::Other(number.as_str().to_owned()), Value::Float),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(value) => Value::Other(value.to_string()),
        DeValue::Array(elements) => Value::Array(
            elements
                .into_iter()
                .map(|element| {
                    let place = placing.place(Some(element.span()));
                    Node::new(convert(element.into_inner(), placing), place)
                })
                .collect(),
        ),
        DeValue::Table(table) => members(table, placing),
    }
}
