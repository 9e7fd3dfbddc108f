//! Lists, for people or for programs.

use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value as Json, json};

/// `--format`.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct FormatArguments {
    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(super) format: Format,
}

/// How a list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For programs: every member
    Json,
}

/// A list as text; as JSON `{"items": […]}`. The columns are members of the items; tables show these alone.
pub(super) fn many(items: &[Json], columns: &[&str], format: Format) -> String {
    if format == Format::Json {
        return serde_json::to_string_pretty(&json!({ "items": items })).unwrap_or_default();
    }
    let mut table = bare();
    table.set_header(columns.iter().map(|column| column.to_uppercase().replace('_', " ")));
    for item in items {
        table.add_row(columns.iter().map(|column| plain(item.get(column).unwrap_or(&Json::Null))));
    }
    trimmed(&table)
}

/// One thing as text: a line a member that has a value.
pub(super) fn one(item: &Json, format: Format) -> String {
    let members = match item {
        Json::Object(members) if format == Format::Table => members,
        other => return serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    let mut table = bare();
    for (name, value) in members {
        if !plain(value).is_empty() {
            table.add_row([name.clone(), plain(value)]);
        }
    }
    trimmed(&table)
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A value in a cell.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(elements) => elements.iter().map(plain).collect::<Vec<_>>().join(", "),
        Json::Object(members) => members
            .iter()
            .filter(|(_, value)| !plain(value).is_empty())
            .map(|(name, value)| format!("{name} {}", plain(value)))
            .collect::<Vec<_>>()
            .join("; "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn lists_are_tables_or_json() {
        let items =
            [json!({"name": "a", "methods": ["GET", "HEAD"], "to": null}), json!({"name": "longer", "methods": []})];
        assert_snapshot!(many(&items, &["name", "methods"], Format::Table), @r#"
        NAME    METHODS
        a       GET, HEAD
        longer
        "#);
        let listed: Json = serde_json::from_str(&many(&items, &["name"], Format::Json)).unwrap();
        assert_eq!(listed, json!({ "items": items }));
        assert_snapshot!(one(&items[0], Format::Table), @r#"
        name     a
        methods  GET, HEAD
        "#);
    }
}
