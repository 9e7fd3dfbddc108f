//! What lists and bodies of administration have in common.

use serde_json::Value;

use crate::{
    kernel::PageRequest,
    platform::http::{Fields, Problem, problem::MALFORMED_REQUEST},
};

/// A parameter of the query that cannot be read.
pub(super) fn wrong(name: &str, expected: &str) -> Problem {
    Problem::new(&MALFORMED_REQUEST, format!("{name}: expected {expected}"))
}

/// `?limit=`.
pub(super) fn limit(text: Option<&str>) -> Result<u32, Problem> {
    match text.map(str::parse::<u32>) {
        None => Ok(PageRequest::DEFAULT),
        Some(Ok(limit)) if (1..=PageRequest::MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(wrong("limit", "a number from 1 to 100")),
    }
}

/// `?limit=&cursor=` of a list whose cursors are ids.
pub(super) fn page(limit_text: Option<&str>, cursor: Option<String>) -> Result<PageRequest, Problem> {
    if cursor.as_deref().is_some_and(|cursor| cursor.parse::<uuid::Uuid>().is_err()) {
        return Err(wrong("cursor", "the `next_cursor` of a page"));
    }
    Ok(PageRequest { limit: limit(limit_text)?, cursor })
}

/// A member that is true or false; false when it is absent or at fault.
pub(super) fn flag(fields: &mut Fields, name: &str) -> bool {
    match fields.take(name) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => flag,
        Some(_) => {
            fields.fault(name, "wrong-type", "expected true or false");
            false
        }
    }
}

/// A member that is a list of strings; `None` when it is absent or at fault.
pub(super) fn strings(fields: &mut Fields, name: &str) -> Option<Vec<String>> {
    let value = fields.take(name).filter(|value| !value.is_null())?;
    read(fields, name, value)
}

/// The same, for one that must be there.
pub(super) fn required_strings(fields: &mut Fields, name: &str) -> Option<Vec<String>> {
    let value = fields.take(name).filter(|value| !value.is_null());
    if value.is_none() {
        fields.fault(name, "missing", "expected a list of strings");
    }
    read(fields, name, value?)
}

fn read(fields: &mut Fields, name: &str, value: Value) -> Option<Vec<String>> {
    let Value::Array(elements) = value else {
        fields.fault(name, "wrong-type", "expected a list of strings");
        return None;
    };
    let mut texts = Vec::with_capacity(elements.len());
    for (place, element) in elements.into_iter().enumerate() {
        match element {
            Value::String(text) => texts.push(text),
            _ => fields.fault_at(format!("/{name}/{place}"), "wrong-type", "expected a string"),
        }
    }
    Some(texts)
}
