//! `docs/SECURITY.md` names files, settings and tests. What it names is there, and no requirement is left out.

use std::{collections::BTreeSet, path::Path};

use crate::root;

/// How many requirements each section of a chapter has, in ASVS 5.0.0.
const CHAPTERS: &[(u32, &[u32])] =
    &[(6, &[3, 12, 8, 6, 8, 4, 2, 4]), (7, &[3, 4, 2, 5, 3, 2]), (9, &[3, 4]), (10, &[2, 3, 5, 16, 5, 2, 3])];

/// The rows of the tables: the cells between the bars.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #"));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands in back-ticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn what_the_security_tables_name_is_there() {
    let root = root();
    let text = std::fs::read_to_string(root.join("docs/SECURITY.md")).unwrap();
    let settings = std::fs::read_to_string(root.join("config/default.toml")).unwrap();
    let settings: toml::Table = settings.parse().unwrap();
    let tests = tests(&root);
    let mut faults = Vec::new();
    for name in quoted(&text) {
        let is_file = !name.starts_with('/')
            && !name.contains(' ')
            && (name.starts_with("tests/") || name.rsplit_once('/').is_some_and(|(_, file)| file.contains('.')));
        let is_there = if is_file {
            root.join(name).is_file() || root.join("src/modules/auth").join(name).is_file()
        } else if name.starts_with("auth.") || name.starts_with("gateway.") {
            has(&settings, name)
        } else {
            true
        };
        if !is_there {
            faults.push(format!("`{name}` is neither a file nor a setting with a default"));
        }
    }
    for row in rows(&text) {
        let [number, _, verdict, held, shown] = row.as_slice() else {
            faults.push(format!("a row of another form: {row:?}"));
            continue;
        };
        if !matches!(*verdict, "yes" | "partly" | "no" | "others") {
            faults.push(format!("{number}: {verdict:?} is no verdict"));
        }
        if held.is_empty() && *verdict != "others" {
            faults.push(format!("{number} says neither where it is held nor why not"));
        }
        let missing = quoted(shown).filter(|name| !name.contains('/') && !tests.contains(*name));
        faults.extend(missing.map(|name| format!("{number}: there is no test `{name}`")));
    }
    assert!(faults.is_empty(), "docs/SECURITY.md is not true any more:\n{}", faults.join("\n"));
}

#[test]
fn every_requirement_has_one_row() {
    let text = std::fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let found: Vec<_> = rows(&text).into_iter().map(|row| row[0].to_owned()).collect();
    let requirements = CHAPTERS.iter().flat_map(|(chapter, sections)| {
        let sections = sections.iter().zip(1..);
        sections.flat_map(move |(count, section)| (1..=*count).map(move |n| format!("{chapter}.{section}.{n}")))
    });
    let expected: Vec<_> = requirements.chain((1..=10).map(|n| format!("API{n}"))).collect();
    assert_eq!(found, expected);
}

fn has(settings: &toml::Table, name: &str) -> bool {
    let mut parts = name.split('.');
    let first = parts.next().and_then(|part| settings.get(part));
    first.is_some_and(|first| parts.try_fold(first, |table, part| table.get(part)).is_some())
}

/// The names of every function that is a test, unit tests among them.
fn tests(root: &Path) -> BTreeSet<String> {
    let folders = ["src", "tests"].into_iter().flat_map(|folder| walkdir::WalkDir::new(root.join(folder)));
    let files = folders.map(|entry| entry.unwrap().into_path());
    let sources =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "rs" || extension == "mjs"));
    sources.flat_map(|path| functions(&std::fs::read_to_string(path).unwrap())).collect()
}

fn functions(source: &str) -> Vec<String> {
    let lines = source.lines().map(str::trim_start);
    let names = lines.filter_map(|line| line.trim_start_matches("async ").strip_prefix("fn "));
    names.filter_map(|rest| rest.split(['(', '<']).next().map(str::to_owned)).collect()
}
