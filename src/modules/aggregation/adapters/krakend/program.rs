//! What KrakenD does to a backend's answer, as jq.

use serde_json::{Map, Value};

/// `.name`, quoted where it must be.
pub(super) fn field(name: &str) -> String {
    if is_plain(name) { format!(".{name}") } else { format!(".{}", quoted(name)) }
}

/// `.a.b` for `a.b`.
pub(super) fn path(dotted: &str) -> String {
    dotted.split('.').map(field).collect()
}

/// A name as an object's key in a program.
pub(super) fn key(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { quoted(name) }
}

fn is_plain(name: &str) -> bool {
    const WORDS: [&str; 18] = [
        "and", "as", "catch", "def", "elif", "else", "end", "foreach", "if", "import", "include", "label", "module",
        "or", "reduce", "then", "try", "not",
    ];
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !WORDS.contains(&name)
}

fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}

/// `target`, then `allow` or `deny`, then `mapping`; `None`: the answer as it is.
pub(super) fn select(backend: &Map<String, Value>) -> Option<String> {
    let texts = |name: &str| -> Vec<&str> {
        backend.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (allow, deny) = (texts("allow"), texts("deny"));
    let mut stages = Vec::new();
    let mut mapping: Vec<(&str, &str)> = backend
        .get("mapping")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(from, to)| Some((from.as_str(), to.as_str()?)))
        .collect();
    let mut collection = "collection";
    if allow.is_empty() && deny.is_empty() && is_collection(backend) {
        // Nothing stands between the array's name and its change.
        if let Some(at) = mapping.iter().position(|(from, _)| *from == collection) {
            collection = mapping.remove(at).1;
        }
    }
    if is_collection(backend) {
        stages.push(format!("{{{}: .}}", key(collection)));
    }
    if let Some(target) = backend.get("target").and_then(Value::as_str).filter(|target| !target.is_empty()) {
        stages.push(path(target));
    }
    let renamed =
        |name: &str| mapping.iter().find(|(from, _)| *from == name).map_or(name.to_owned(), |(_, to)| (*to).to_owned());
    if !allow.is_empty() {
        // Renaming is part of naming what stays.
        stages.push(object(&allow, "", &|name| renamed(name)));
        return Some(stages.join(" | "));
    }
    if !deny.is_empty() {
        stages.push(format!("del({})", deny.iter().map(|name| path(name)).collect::<Vec<_>>().join(", ")));
    }
    if !mapping.is_empty() {
        let names: Vec<String> = mapping.iter().map(|(from, to)| format!("{}: {}", quoted(from), quoted(to))).collect();
        stages.push(format!("with_entries(.key |= ({{{}}}[.] // .))", names.join(", ")));
    }
    (!stages.is_empty()).then(|| stages.join(" | "))
}

/// Whether the backend answers with an array.
pub(super) fn is_collection(backend: &Map<String, Value>) -> bool {
    backend.get("is_collection").and_then(Value::as_bool).unwrap_or(false)
}

/// An object of these dotted names, those with the same beginning together.
fn object(names: &[&str], above: &str, renamed: &dyn Fn(&str) -> String) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in names {
        let (first, rest) = name.split_once('.').map_or((*name, None), |(first, rest)| (first, Some(rest)));
        let at = groups.iter().position(|(known, _)| *known == first).unwrap_or_else(|| {
            groups.push((first, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.extend(rest);
    }
    let member = |(first, rest): &(&str, Vec<&str>)| {
        let (from, to) = (format!("{above}{}", field(first)), renamed(first));
        if !rest.is_empty() {
            return format!("{}: {}", key(&to), object(rest, &from, &str::to_owned));
        }
        if above.is_empty() && to == *first { key(first) } else { format!("{}: {from}", key(&to)) }
    };
    format!("{{{}}}", groups.iter().map(member).collect::<Vec<_>>().join(", "))
}
