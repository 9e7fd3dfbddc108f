//! Comma-separated values (RFC 4180): fields in quotes may hold commas, line ends, and quotes written twice.

use std::io;

use super::{
    super::super::failure::Failure,
    lines::{LONGEST, Lines},
    record::{self, FIELDS},
};
use crate::{kernel::FieldFault, modules::auth::api::ImportedUser};

/// What a record means, or every fault of it; and the line it begins in.
type Record = (u64, Result<ImportedUser, Vec<FieldFault>>);

/// What the columns are.
pub(super) struct Header(Vec<&'static str>);

impl Header {
    /// The first line: names of fields, each at most once, `email` among them.
    pub(super) fn read(lines: &mut Lines) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Usage(format!("the first line names the columns: {why}"));
        let unreadable = |error: io::Error| Failure::Failed(format!("the file cannot be read: {error}"));
        let (_, text) = lines.next_line().map_err(unreadable)?.ok_or_else(|| wrong("there is none".to_owned()))?;
        let text = text.map_err(|_| wrong("it is no text".to_owned()))?;
        let names = split(&text).ok_or_else(|| wrong("its quotes are not balanced".to_owned()))?;
        let mut columns = Vec::new();
        for name in names {
            let found = FIELDS.iter().find(|field| name.trim().eq_ignore_ascii_case(field));
            let known = || wrong(format!("there is no field {name:?}; expected some of {}", FIELDS.join(", ")));
            let field = *found.ok_or_else(known)?;
            if columns.contains(&field) {
                return Err(wrong(format!("{field} stands there twice")));
            }
            columns.push(field);
        }
        if !columns.contains(&"email") {
            return Err(wrong("email is missing".to_owned()));
        }
        Ok(Self(columns))
    }

    /// The next record and the line it begins in.
    pub(super) fn next(&self, lines: &mut Lines) -> io::Result<Option<Record>> {
        let Some((number, text)) = lines.next_line()? else { return Ok(None) };
        let mut text = match text {
            Ok(text) => text,
            Err(faults) => return Ok(Some((number, Err(faults)))),
        };
        let wrong = |code, detail: &str| Ok(Some((number, Err(vec![FieldFault::new("", code, detail)]))));
        let fields = loop {
            if let Some(fields) = split(&text) {
                break fields;
            }
            match lines.raw()? {
                Some(Ok(more)) if text.len() + more.len() < LONGEST => {
                    text.push('\n');
                    text.push_str(&more);
                }
                _ => return wrong("unbalanced-quotes", "a field that begins with a quote ends with one"),
            }
        };
        if fields.len() != self.0.len() {
            return wrong("wrong-columns", &format!("expected {} fields, found {}", self.0.len(), fields.len()));
        }
        let named = self.0.iter().copied().zip(fields.iter().map(String::as_str));
        Ok(Some((number, record::from_fields(number, named))))
    }
}

/// The fields of a record; `None` when a quote is still open.
fn split(text: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut rest = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(c) = rest.next() {
        let field = fields.last_mut()?;
        match c {
            '"' if is_quoted && rest.peek() == Some(&'"') => {
                rest.next();
                field.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            '"' if field.is_empty() => is_quoted = true,
            ',' if !is_quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    (!is_quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_what_separates() {
        let fields = |text| split(text).unwrap();
        assert_eq!(fields("a,b,,d"), ["a", "b", "", "d"]);
        assert_eq!(fields(r#""a,b","say ""hi""",x"#), ["a,b", r#"say "hi""#, "x"]);
        assert_eq!(fields("\"two\nlines\",y"), ["two\nlines", "y"]);
        assert_eq!(fields(r#"5" disk,"#), [r#"5" disk"#, ""]);
        assert_eq!(split(r#"a,"open"#), None);
    }
}
