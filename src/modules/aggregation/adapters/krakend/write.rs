//! The configuration as TOML that people go on with.

use std::fmt::Write as _;

use serde_json::Value;

use super::Reading;

/// The file.
pub(super) fn toml(reading: &Reading<'_>) -> String {
    let mut text = String::from("# Taken over from a KrakenD configuration. Endpoints are served under /api/data.\n");
    if !reading.notes.is_empty() {
        text.push_str("#\n# Not, or not quite as it was:\n");
    }
    for note in &reading.notes {
        let _ = writeln!(text, "# - {}", note.replace(['\n', '\r'], " "));
    }
    let endpoints = reading.endpoints.iter().map(|taken| &taken.endpoint);
    for (list, tables) in [("sources", reading.sources.iter().collect::<Vec<_>>()), ("endpoints", endpoints.collect())]
    {
        for table in tables {
            let _ = write!(text, "\n[[aggregation.{list}]]\n");
            for (name, value) in table.as_object().into_iter().flatten() {
                let _ = match value.as_array().filter(|_| name == "steps") {
                    Some(steps) => {
                        let lines: Vec<_> = steps.iter().map(|step| format!("  {},", inline(step))).collect();
                        writeln!(text, "{name} = [\n{}\n]", lines.join("\n"))
                    }
                    None => writeln!(text, "{name} = {}", inline(value)),
                };
            }
        }
    }
    text
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let bare = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            let key = |name: &str| if bare(name) { name.to_owned() } else { toml_text(name) };
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::String(text) => toml_text(text),
        other => other.to_string(),
    }
}

fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
