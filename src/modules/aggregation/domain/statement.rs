//! A question to a database with places for arguments. An argument is a value beside the text, never part of it.

use std::fmt::Write as _;

use super::template::{Arguments, FillFault, is_name};
use crate::kernel::error::ValueFault;

/// `select … where id = :user_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Argument(String),
}

impl Statement {
    /// Reads one statement that only asks: `select` or `with`, no other after it.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let wrong = |detail: &str| ValueFault::new("bad-sql", detail.to_owned());
        let text = text.trim().trim_end_matches(';').trim_end();
        let first = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if !["select", "with"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
            return Err(wrong("expected one statement that begins with `select` or `with`"));
        }
        let mut parts = Vec::new();
        let (mut rest, mut plain) = (text, String::new());
        while let Some(next) = rest.chars().next() {
            let taken = match next {
                '\'' | '"' => quoted(rest, next).ok_or_else(|| wrong("a quote that does not end"))?,
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => {
                    rest.find("*/").map(|end| end + 2).ok_or_else(|| wrong("a comment that does not end"))?
                }
                ';' => return Err(wrong("expected one statement")),
                '?' | '$' => return Err(wrong("expected arguments as `:name`, and texts in single quotes")),
                ':' if rest.starts_with("::") => 2,
                ':' => {
                    let name = &rest[1..];
                    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
                    let name = &name[..end];
                    if !is_name(name) || name.starts_with(|c: char| c.is_ascii_digit()) {
                        return Err(wrong("a `:` that no name follows"));
                    }
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Argument(name.to_owned()));
                    rest = &rest[1 + end..];
                    continue;
                }
                other => other.len_utf8(),
            };
            plain.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
        parts.push(Part::Text(plain));
        Ok(Self { parts })
    }

    /// The names of the arguments, in order, each once.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for name in self.places() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The values for all places, in order.
    pub(crate) fn fill(&self, arguments: &Arguments) -> Result<Vec<String>, FillFault> {
        let value = |name: &str| arguments.get(name).cloned().ok_or_else(|| FillFault::Missing(name.to_owned()));
        self.places().map(value).collect()
    }

    /// The text with numbered places, `$1` or `?1`.
    pub(crate) fn numbered(&self, mark: char) -> String {
        let (mut text, mut number) = (String::new(), 0);
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Argument(_) => {
                    number += 1;
                    let _ = write!(text, "{mark}{number}");
                }
            }
        }
        text
    }

    fn places(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Argument(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }
}

/// How long a text or a name in quotes is, with them; a doubled quote is one of its own.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text[at..].find(quote)? + 1;
        if !text[at..].starts_with(quote) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arguments_are_values_and_nothing_else_is_taken_for_one() {
        let text = "select a::text, ':no', \":no\" -- :no\n, 'it''s :no' /* :no */ from t where id = :id and x = :x or y=:id ;";
        let statement = Statement::parse(text).expect("valid");
        assert_eq!(statement.arguments(), ["id", "x"]);
        assert!(statement.numbered('$').ends_with("where id = $1 and x = $2 or y=$3"), "{}", statement.numbered('$'));
        let arguments =
            Arguments::from([("id".to_owned(), "1' or '1'='1".to_owned()), ("x".to_owned(), "2".to_owned())]);
        assert_eq!(statement.fill(&arguments).expect("filled"), ["1' or '1'='1", "2", "1' or '1'='1"]);
        assert_eq!(statement.fill(&Arguments::new()), Err(FillFault::Missing("id".to_owned())));
    }

    #[test]
    fn only_one_statement_that_asks_is_taken() {
        for wrong in [
            "",
            "delete from t",
            "insert into t values (1)",
            "select 1; delete from t",
            "select ?",
            "select $1",
            "select 'x",
            "select /* x",
            "select : x",
            "select :1",
            "select $$a$$",
            "pragma query_only = off",
            "selected from t",
        ] {
            assert!(Statement::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Statement::parse("WITH x AS (SELECT 1) SELECT * FROM x;").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "select .{0,60}") {
            if let Ok(statement) = Statement::parse(&text) {
                prop_assert!(statement.numbered('$').to_ascii_lowercase().starts_with("select"));
            }
        }
    }
}
