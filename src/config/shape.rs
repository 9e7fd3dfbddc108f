//! From a tree to the struct, finding every fault: each one is noted, the tree is mended there, and reading starts again.

use serde::de::DeserializeOwned;

use super::{
    fault::{Fault, Place},
    key::{Key, Segment},
    masking,
    node::{Node, Value},
    parse,
    read::{Kind, Misfit},
    unknown,
};

/// More faults than this are not shown.
const MOST_FAULTS: usize = 100;

/// What came of reading.
pub(super) struct Shaped<T> {
    /// The struct. When there are faults it holds stand-ins; absent when there are too many faults.
    pub(super) value: Option<T>,
    /// What is wrong.
    pub(super) faults: Vec<Fault>,
}

/// Reads `tree`, mending it as needed.
pub(super) fn read<T: DeserializeOwned>(tree: &mut Node) -> Shaped<T> {
    let mut faults = Vec::new();
    let mut suggested = Vec::new();
    loop {
        let misfit = match T::deserialize(&*tree) {
            Ok(value) => return Shaped { value: Some(value), faults },
            Err(misfit) => misfit,
        };
        if faults.len() >= MOST_FAULTS || !mend(tree, misfit, &mut faults, &mut suggested) {
            return Shaped { value: None, faults };
        }
    }
}

/// Notes the misfit and takes it out of the way. `false` when it cannot be.
fn mend(tree: &mut Node, misfit: Misfit, faults: &mut Vec<Fault>, suggested: &mut Vec<Key>) -> bool {
    let key = misfit.key();
    let Some(node) = tree.find_mut(&key) else {
        faults.push(Fault::at(Place::Default, misfit.to_string()));
        return false;
    };
    match misfit.kind {
        Kind::Unknown { name, expected } => {
            let Value::Table(members) = &mut node.value else { return false };
            let Some(member) = members.remove(&name) else { return false };
            let full = key.member(&name);
            if let Some(meant) = unknown::nearest(&name, expected) {
                suggested.push(key.member(meant));
            }
            faults.push(Fault::of(&member.place, &full, unknown::detail(&full, &name, expected)));
        }
        Kind::Missing(name) => {
            let full = key.member(name);
            // One mistake, one fault: a misspelt key is not missing too.
            if !node.stand_in && !suggested.contains(&full) {
                faults.push(Fault::of(&node.place, &full, "missing, and it has no default"));
            }
            let member = Node { stand_in: true, ..Node::new(Value::StandIn(0), node.place.clone()) };
            if node.stand_in && !matches!(node.value, Value::Table(_)) {
                node.value = Node::table(node.place.clone()).value;
            }
            let Value::Table(members) = &mut node.value else { return false };
            members.insert(name.to_owned(), member);
        }
        Kind::TextForContainer(wanted) => {
            let Value::Text(text) = &node.value else { return false };
            match parse::value(&node.place, text) {
                Some(parsed) if matches!(parsed.value, Value::Array(_) | Value::Table(_)) => node.value = parsed.value,
                _ => refuse(node, &key, &format!("expected {wanted}, found {}", describe(&node.value)), faults),
            }
        }
        Kind::Variant(choices) => {
            let (Value::Text(text) | Value::String(text)) = &node.value else {
                return refuse_or_try_next(node, &key, "expected a string", faults);
            };
            let detail = format!("unknown value {text:?}{}", unknown::choices(text, choices));
            return refuse_or_try_next(node, &key, &detail, faults);
        }
        Kind::Value(detail) => {
            // The units say what they found themselves; here it is said for all, and secrets are left out.
            let expected = match detail.split(", found ").next().unwrap_or(&detail) {
                "invalid IP address syntax" if matches!(key.0.last(), Some(Segment::Index(_))) => {
                    "expected an address range such as \"10.0.0.0/8\""
                }
                "invalid IP address syntax" => "expected an IP address such as \"127.0.0.1\"",
                expected => expected,
            };
            let found =
                if masking::is_secret(&key, node) { "something else".to_owned() } else { describe(&node.value) };
            return refuse_or_try_next(node, &key, &format!("{expected}, found {found}"), faults);
        }
    }
    true
}

/// A stand-in that does not fit gives way to the next sample; a given value is a fault.
fn refuse_or_try_next(node: &mut Node, key: &Key, detail: &str, faults: &mut Vec<Fault>) -> bool {
    if !node.stand_in {
        refuse(node, key, detail, faults);
        return true;
    }
    let Value::StandIn(refused) = &mut node.value else { return false };
    *refused += 1;
    *refused < 16
}

fn refuse(node: &mut Node, key: &Key, detail: &str, faults: &mut Vec<Fault>) {
    faults.push(Fault::of(&node.place, key, detail));
    node.value = Value::StandIn(0);
    node.stand_in = true;
}

/// A value as it may be shown in a message.
fn describe(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::String(text) if text.chars().count() > 60 => {
            format!("{:?}…", text.chars().take(60).collect::<String>())
        }
        Value::Text(text) | Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::Other(text) => text.clone(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        Value::StandIn(_) => "nothing".to_owned(),
    }
}
