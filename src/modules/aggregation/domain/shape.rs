//! Programs that only put results together, such as `{user: .results.user, all: [.results.a, .results.b]}`: these are spliced
//! as text, so that what the sources said leaves byte for byte as it came. Every other program is jq's.

use super::data::Json;

/// What to write, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text of JSON.
    Text(String),
    /// The result of this name.
    Result(String),
}

/// A program that only puts results together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape(Vec<Piece>);

/// Deeper than anybody writes.
const MAX_DEPTH: usize = 32;

impl Shape {
    /// Reads objects with plain names, arrays, texts without escapes, `true`, `false`, `null`, whole numbers and
    /// `.results.name`; `None`: the program is more than that.
    pub(crate) fn parse(program: &str) -> Option<Self> {
        let mut reading = Reading { rest: program, pieces: Vec::new() };
        reading.value(0)?;
        reading.rest.trim_start().is_empty().then_some(Self(reading.pieces))
    }

    /// The text with these results; one that is not there is null.
    pub(crate) fn fill(&self, results: &[(&str, Json)]) -> String {
        let named =
            |name: &String| results.iter().find(|(known, _)| known == name).map_or("null", |(_, value)| value.get());
        let texts = || {
            self.0.iter().map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Result(name) => named(name),
            })
        };
        let mut filled = String::with_capacity(texts().map(str::len).sum());
        filled.extend(texts());
        filled
    }
}

struct Reading<'a> {
    rest: &'a str,
    pieces: Vec<Piece>,
}

impl<'a> Reading<'a> {
    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.takes("{") {
            self.write("{");
            return self.members(depth);
        }
        if self.takes("[") {
            self.write("[");
            return self.items(depth);
        }
        if self.takes(".results.") {
            let name = self.word()?;
            self.pieces.push(Piece::Result(name.to_owned()));
            return Some(());
        }
        if self.rest.trim_start().starts_with('"') {
            let text = self.text()?;
            self.write(&format!("\"{text}\""));
            return Some(());
        }
        let word = self.word()?;
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
        // A longer number might not be written as it was.
        if matches!(word, "null" | "true" | "false") || (is_number && word.len() < 16) {
            self.write(word);
            return Some(());
        }
        None
    }

    fn members(&mut self, depth: usize) -> Option<()> {
        let mut names: Vec<&str> = Vec::new();
        while !self.takes("}") {
            if !names.is_empty() {
                self.takes(",").then_some(())?;
                self.write(",");
            }
            let quoted = self.rest.trim_start().starts_with('"');
            let name = if quoted { self.text()? } else { self.word()? };
            if names.contains(&name) || (!quoted && name.starts_with(|c: char| c.is_ascii_digit())) {
                return None;
            }
            names.push(name);
            self.takes(":").then_some(())?;
            self.write(&format!("\"{name}\":"));
            self.value(depth + 1)?;
        }
        self.write("}");
        Some(())
    }

    fn items(&mut self, depth: usize) -> Option<()> {
        let mut first = true;
        while !self.takes("]") {
            if !std::mem::take(&mut first) {
                self.takes(",").then_some(())?;
                self.write(",");
            }
            self.value(depth + 1)?;
        }
        self.write("]");
        Some(())
    }

    fn takes(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.trim_start().strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    /// A word that nothing of the language follows directly, such as a path, a call or a product.
    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        let ends_here = rest.trim_start().chars().next().is_none_or(|c| matches!(c, ',' | ':' | '}' | ']'));
        if word.is_empty() || !ends_here || rest.trim_start().starts_with("::") {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    /// What stands between quotes, when it is written the same in JSON.
    fn text(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start().strip_prefix('"')?;
        let (text, rest) = rest.split_once('"')?;
        if text.contains('\\') || text.chars().any(char::is_control) {
            return None;
        }
        self.rest = rest;
        Some(text)
    }

    fn write(&mut self, text: &str) {
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            last.push_str(text);
        } else {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::value::RawValue;

    use super::*;

    fn filled(program: &str) -> Option<String> {
        let value = |text: &str| -> Json { Arc::from(RawValue::from_string(text.to_owned()).expect("JSON")) };
        let results = [("user", value(r#"{"n": 1.10}"#)), ("orders", value("[1e400]"))];
        Shape::parse(program).map(|shape| shape.fill(&results))
    }

    #[test]
    fn results_are_put_together_as_they_are() {
        for (program, expected) in [
            ("{user: .results.user, orders: .results.orders}", r#"{"user":{"n": 1.10},"orders":[1e400]}"#),
            (".results.user", r#"{"n": 1.10}"#),
            (" [ .results.orders , .results.none ] ", "[[1e400],null]"),
            (
                r#"{"a b": {x: .results.orders, v: 2, ok: true, t: "é"}}"#,
                r#"{"a b":{"x":[1e400],"v":2,"ok":true,"t":"é"}}"#,
            ),
            ("{}", "{}"),
        ] {
            assert_eq!(filled(program).as_deref(), Some(expected), "{program}");
        }
    }

    #[test]
    fn more_than_that_is_left_to_jq() {
        for program in [
            "",
            ".",
            ".results",
            ".results.user.id",
            ".results.user | .id",
            ".results.user?",
            ".results.orders[0]",
            "{user}",
            "{(.path.x): 1}",
            "{a: 1 + 2}",
            "{a: .results.user, a: 1}",
            "[.results.orders[]]",
            "{a: -1}",
            "{1: 2}",
            r#"{a: "\(.path.id)"}"#,
            ".results.user, .results.orders",
            "{a: .path.id}",
            "{a: 1.5}",
            "{a: 007}",
            "nothing",
            "{a: .results.user // 1}",
            "{a: now}",
            "{a: .results.user # x\n}",
            "{a: 1,}",
            "{\"a\" \"b\": 1}",
            "[1",
        ] {
            assert_eq!(filled(program), None, "{program}");
        }
    }
}
