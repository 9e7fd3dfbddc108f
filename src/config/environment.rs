//! The environment as a layer: `VESTIBULE__SECTION__KEY`, and the plain variables that deployments already have.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    fault::{Fault, Place},
    node::{Node, Value},
    parse, unknown,
};

const PREFIX: &str = "VESTIBULE__";
/// Deeper than any setting.
const DEEPEST: usize = 16;

/// How a plain variable's text becomes the setting's.
#[derive(Clone, Copy)]
enum Form {
    /// As it is.
    Same,
    /// A whole number, at least 1, between these texts.
    Number(&'static str),
}

/// A plain variable, the setting it gives, and how.
const ALIASES: [(&str, &[&str], Form); 11] = [
    ("DATABASE_URL", &["database", "url"], Form::Same),
    ("REDIS_URL", &["redis", "url"], Form::Same),
    ("RUST_LOG", &["log", "level"], Form::Same),
    ("AUTH_SERVICE_URL", &["services", "auth"], Form::Same),
    ("AGGREGATION_SERVICE_URL", &["services", "aggregation"], Form::Same),
    ("JWT_SECRET_KEY", &["auth", "tokens", "secret"], Form::Same),
    ("JWT_ALGORITHM", &["auth", "tokens", "algorithm"], Form::Same),
    ("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", &["auth", "tokens", "access_ttl"], Form::Number("m")),
    ("JWT_REFRESH_TOKEN_EXPIRE_DAYS", &["auth", "tokens", "refresh_ttl"], Form::Number("d")),
    ("RATE_LIMIT_PER_MINUTE", &["gateway", "rate_limit", "limit"], Form::Number("/minute")),
    ("CIRCUIT_BREAKER_THRESHOLD", &["gateway", "breaker", "failures"], Form::Number("")),
];

/// The layer, what is wrong with it, and what of it does nothing.
pub(super) struct Layer {
    /// The settings.
    pub(super) tree: Node,
    /// Variables that cannot be used.
    pub(super) faults: Vec<Fault>,
    /// Variables that have no effect in this version.
    pub(super) warnings: Vec<Fault>,
}

/// Reads the layer. `VESTIBULE__` variables win over plain ones; an empty plain variable counts as not set.
pub(super) fn layer(environment: &BTreeMap<String, String>) -> Layer {
    let mut layer = Layer { tree: Node::table(Place::Default), faults: Vec::new(), warnings: Vec::new() };
    for (name, key, form) in ALIASES {
        let Some(text) = environment.get(name).filter(|text| !text.is_empty()) else { continue };
        let place = Place::Environment(Arc::from(name));
        let Some(text) = shaped(text, form) else {
            let detail = format!("expected a whole number, at least 1, found {text:?}");
            layer.faults.push(Fault::of(&place, &key.join("."), detail));
            continue;
        };
        put(&mut layer.tree, key, text, place);
    }
    for name in unknown::VARIABLES_NOT_YET {
        if environment.get(name).is_some_and(|text| !text.is_empty()) {
            let place = Place::Environment(Arc::from(name));
            layer.warnings.push(Fault::at(place, "has no effect: not available in this version yet"));
        }
    }
    // Shorter names come first, so `VESTIBULE__SERVER__PORT` goes on top of `VESTIBULE__SERVER`.
    for (name, text) in environment {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let place = Place::Environment(Arc::from(name.as_str()));
        let path = path.to_lowercase();
        let key: Vec<_> = path.split("__").collect();
        if key.len() > DEEPEST || key.iter().any(|part| part.is_empty()) {
            layer.faults.push(Fault::at(place, "not a key, expected the form VESTIBULE__SECTION__KEY"));
            continue;
        }
        put(&mut layer.tree, &key, text.clone(), place);
    }
    layer
}

fn shaped(text: &str, form: Form) -> Option<String> {
    let Form::Number(unit) = form else { return Some(text.to_owned()) };
    let number: u32 = text.trim().parse().ok().filter(|number| *number > 0)?;
    Some(format!("{number}{unit}"))
}

fn put(tree: &mut Node, key: &[&str], text: String, place: Place) {
    tree.put(key, text_node(text, place));
}

/// A table that is given as text is merged like any other table; all other text is left to what the key wants.
fn text_node(text: String, place: Place) -> Node {
    if text.trim_start().starts_with('{')
        && let Some(node) = parse::value(&place, &text)
    {
        return node;
    }
    Node::new(Value::Text(text), place)
}

/// The text of a flag, at its key.
pub(super) fn flag(key: &str, text: &str, flag: &str) -> Node {
    let place = Place::Flag(Arc::from(flag));
    let mut tree = Node::table(Place::Default);
    put(&mut tree, &key.split('.').collect::<Vec<_>>(), text.to_owned(), place);
    tree
}
