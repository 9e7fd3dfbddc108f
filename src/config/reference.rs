//! `file:PATH` and `env:NAME`: values that are kept elsewhere, so that secrets stay out of the file.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    fault::{Fault, Place},
    key::Key,
    node::{Node, Value},
};

/// A value in a file is not longer than this; more is some other file.
const LONGEST: u64 = 1024 * 1024;

/// Names of files and folders; like `mail.transport`, which has a `file:` of its own, they are only made relative to the file
/// they stand in.
const FILES: [&str; 5] = [
    "auth.pages.templates",
    "auth.password.breach_list.file",
    "gateway.routes[].request_schema",
    "aggregation.sources[].schema",
    "aggregation.graphql.schema",
];

/// Files of certificates and keys, which may also be given as a whole.
const PEM_FILES: [&str; 11] = [
    "server.tls.cert",
    "server.tls.key",
    "server.tls.client_ca",
    "server.tls.sni[].cert",
    "server.tls.sni[].key",
    "server.operations.tls.cert",
    "server.operations.tls.key",
    "server.operations.tls.client_ca",
    "gateway.upstreams[].tls.ca",
    "gateway.upstreams[].tls.cert",
    "gateway.upstreams[].tls.key",
];

/// Puts what they refer to in place of all references.
pub(super) fn resolve(tree: &mut Node, environment: &BTreeMap<String, String>) -> Vec<Fault> {
    let mut faults = Vec::new();
    tree.walk_mut(&Key::default(), &mut |key, node| {
        let (Value::String(text) | Value::Text(text)) = &node.value else { return };
        if FILES.contains(&key.pattern().as_str()) {
            node.value = Value::String(beside(&node.place, text).display().to_string());
            return;
        }
        let is_elsewhere = ["file:", "env:", "-----BEGIN"].iter().any(|start| text.starts_with(start));
        if !is_elsewhere && PEM_FILES.contains(&key.pattern().as_str()) {
            node.value = Value::String(beside(&node.place, text).display().to_string());
            return;
        }
        let found = if let Some(path) = text.strip_prefix("file:") {
            let path = beside(&node.place, path);
            if key.to_string() == "mail.transport" {
                node.value = Value::String(format!("file:{}", path.display()));
                return;
            }
            content(&path)
        } else if let Some(name) = text.strip_prefix("env:") {
            environment.get(name).cloned().ok_or_else(|| format!("the environment variable {name} is not set"))
        } else {
            return;
        };
        match found {
            Ok(content) => {
                node.reference = Some(text.clone());
                // Text without a type, so that a number may be kept elsewhere too.
                node.value = Value::Text(content);
            }
            Err(detail) => {
                faults.push(Fault::of(&node.place, key, detail));
                node.value = Value::StandIn(0);
                node.stand_in = true;
            }
        }
    });
    faults
}

/// Paths in a file are relative to that file, all others to the working directory.
fn beside(place: &Place, path: &str) -> PathBuf {
    match place {
        Place::File { path: file, .. } => file.parent().unwrap_or(Path::new("")).join(path),
        _ => PathBuf::from(path),
    }
}

/// The file's text without its last line end.
fn content(path: &Path) -> Result<String, String> {
    let text = read_text(path, LONGEST).map_err(|why| format!("cannot read {}: {why}", path.display()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// A file's text, or why it cannot be read.
pub(super) fn read_text(path: &Path, longest: u64) -> Result<String, String> {
    let file = File::open(path).map_err(|error| reason(&error))?;
    let mut bytes = Vec::new();
    file.take(longest + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() as u64 > longest {
        return Err(format!("it is larger than {longest} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
        format!("it is not UTF-8 text (line {line})")
    })
}

/// The system's words without its number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
