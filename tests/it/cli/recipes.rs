//! `docs/AGGREGATION.md`: every file that it shows is the file, every command that it shows prints what it shows.

use std::{path::PathBuf, process::Command};

use super::run;
use crate::support::command;

/// What stands between fences: its language and its text.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language.to_owned(), inside.join("\n")));
        }
    }
    blocks
}

/// JSON without blanks between its parts; numbers stay as they are written.
fn compact(text: &str) -> String {
    let value: Box<serde_json::value::RawValue> =
        serde_json::from_str(text).unwrap_or_else(|fault| panic!("{fault}: {text}"));
    let (mut out, mut in_text, mut escaped) = (String::new(), false, false);
    for c in value.get().chars() {
        if in_text || !c.is_whitespace() {
            out.push(c);
        }
        if c == '"' && !escaped {
            in_text = !in_text;
        }
        escaped = in_text && c == '\\' && !escaped;
    }
    out
}

#[test]
fn every_recipe_runs_as_it_stands() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/AGGREGATION.md")).unwrap();
    let blocks = blocks(&text);
    let (mut shown, mut ran) = (None, Vec::new());
    for (index, (language, block)) in blocks.iter().enumerate() {
        match language.as_str() {
            "toml" => shown = Some(block),
            "graphql" => {
                let file = std::fs::read_to_string(root.join("config/examples/aggregation/shop.graphql")).unwrap();
                assert!(file.contains(block.as_str()), "shop.graphql is not what is shown");
            }
            // Not every binary has it.
            "sh" if block.contains("graphql") && !cfg!(feature = "graphql") => {
                ran.push("config/examples/aggregation/graphql.toml".to_owned());
            }
            "sh" if block.starts_with("vestibule ") && block.contains("config/examples") => {
                let mut shell = command(&root);
                let program = shell.get_program().to_owned();
                let script = block.replacen("vestibule", program.to_str().unwrap(), 1);
                shell = Command::new("bash");
                let output = shell.current_dir(&root).args(["-c", &script]).output().unwrap();
                let (out, errors) =
                    (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
                assert!(output.status.success(), "{block}\n{errors}");
                let (language, expected) = &blocks[index + 1];
                assert_eq!((language.as_str(), compact(&out)), ("json", compact(expected)), "{block}");
                let Some(file) = block.split_whitespace().skip_while(|word| *word != "--config").nth(1) else {
                    continue;
                };
                let written = std::fs::read_to_string(root.join(file)).unwrap();
                let shown = shown.expect("a recipe shows its file");
                assert!(written.contains(shown.as_str()), "{file} is not what is shown");
                run(&root, &["config", "check", "--config", file]).must_exit(0);
                run(&root, &["aggregate", "check", "--config", file]).must_exit(0);
                ran.push(file.to_owned());
            }
            _ => {}
        }
    }
    let folder = std::fs::read_dir(root.join("config/examples/aggregation")).unwrap();
    for file in folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "toml")) {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        assert!(ran.contains(&name), "{name} is in no recipe");
    }
}
