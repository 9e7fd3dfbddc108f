//! Texts with `{name}` in them, filled with path parameters; compiled at load.

use crate::kernel::error::ValueFault;

/// A text with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// The number of the path parameter.
    Parameter(usize),
}

impl Template {
    /// Reads a template; every `{name}` must be one of `parameters`.
    pub(super) fn parse(text: &str, parameters: &[String]) -> Result<Self, ValueFault> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').map(|at| at + open);
            let close = close.ok_or_else(|| ValueFault::new("invalid-template", "`{` is not closed"))?;
            let name = rest[open + 1..close].trim_start_matches('*');
            let number = parameters
                .iter()
                .position(|parameter| parameter == name)
                .ok_or_else(|| ValueFault::new("unknown-parameter", format!("the path has no parameter {{{name}}}")))?;
            if open > 0 {
                pieces.push(Piece::Literal(rest[..open].to_owned()));
            }
            pieces.push(Piece::Parameter(number));
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text, if it has no holes.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with its holes filled.
    pub(super) fn fill(&self, parameters: &[&str]) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Parameter(number) => text.push_str(parameters.get(*number).copied().unwrap_or_default()),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_and_unknown_ones_refused() {
        let names = ["id".to_owned(), "rest".to_owned()];
        let template = Template::parse("/v2/{id}/{rest}.json", &names).unwrap();
        assert_eq!(template.fill(&["7", "a/b"]), "/v2/7/a/b.json");
        assert_eq!(template.literal(), None);
        assert_eq!(Template::parse("/x", &names).unwrap().literal(), Some("/x"));
        assert!(Template::parse("/{nope}", &names).is_err());
        assert!(Template::parse("/{id", &names).is_err());
    }
}
