//! The schema's directives: which there are, and what stands in them.

use async_graphql::{Pos, Positioned, Value};

use super::{Given, Reading};

/// Directives and their arguments.
const KNOWN: [(&str, &[&str]); 6] = [
    ("source", &["name", "with", "body", "batch", "concurrency"]),
    ("from", &["path"]),
    ("listSize", &["assumedSize", "slicingArguments"]),
    ("deprecated", &["reason"]),
    ("specifiedBy", &["url"]),
    ("oneOf", &[]),
];

/// The directives of one place, each once.
pub(super) struct Directives<'a>(Vec<&'a Given>);

impl<'a> Directives<'a> {
    /// Those that stand there; others than `allowed` are at fault.
    pub(super) fn read(reading: &mut Reading<'_>, given: &'a [Positioned<Given>], allowed: &[&str]) -> Self {
        let mut directives: Vec<&Given> = Vec::new();
        for Positioned { node: directive, .. } in given {
            let name = directive.name.node.as_str();
            let arguments = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, arguments)| *arguments);
            let Some(arguments) = arguments.filter(|_| allowed.contains(&name)) else {
                let expected: Vec<String> = allowed.iter().map(|name| format!("`@{name}`")).collect();
                let expected = if expected.is_empty() { "none".to_owned() } else { expected.join(", ") };
                reading.fault(directive.name.pos, format!("`@{name}` has no meaning here; expected {expected}"));
                continue;
            };
            if directives.iter().any(|known| known.name.node == directive.name.node) {
                reading.fault(directive.name.pos, format!("`@{name}` stands twice"));
                continue;
            }
            for (argument, _) in &directive.arguments {
                if !arguments.contains(&argument.node.as_str()) {
                    let expected = arguments.join(", ");
                    reading.fault(argument.pos, format!("`@{name}` has no `{}`; expected {expected}", argument.node));
                }
            }
            directives.push(directive);
        }
        Self(directives)
    }

    /// One by its name.
    pub(super) fn get(&self, name: &str) -> Option<&'a Given> {
        self.0.iter().find(|directive| directive.name.node == name).copied()
    }
}

impl Reading<'_> {
    /// A text; what is something else is at fault.
    pub(super) fn text<'g>(&mut self, given: &'g Given, name: &str) -> Option<(&'g str, Pos)> {
        let value = given.get_argument(name)?;
        if let Value::String(text) = &value.node {
            return Some((text, value.pos));
        }
        self.fault(value.pos, format!("`{name}`: expected a text"));
        None
    }

    /// A number of at least one.
    pub(super) fn number(&mut self, given: &Given, name: &str) -> Option<usize> {
        let value = given.get_argument(name)?;
        self.positive(name, &value.node, value.pos)
    }

    pub(super) fn positive(&mut self, name: &str, value: &Value, position: Pos) -> Option<usize> {
        let number = match value {
            Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
            _ => None,
        };
        let number = number.filter(|number| (1..=100_000).contains(number));
        if number.is_none() {
            self.fault(position, format!("`{name}`: expected a number from 1 to 100000"));
        }
        number
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, given: &Given, name: &str) -> Vec<String> {
        let Some(value) = given.get_argument(name) else { return Vec::new() };
        let one = std::slice::from_ref(&value.node);
        let items = if let Value::List(items) = &value.node { items.as_slice() } else { one };
        let mut texts = Vec::new();
        for item in items {
            match item {
                Value::String(text) => texts.push(text.clone()),
                _ => self.fault(value.pos, format!("`{name}`: expected a list of texts")),
            }
        }
        texts
    }
}
