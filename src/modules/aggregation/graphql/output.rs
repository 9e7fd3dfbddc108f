//! Values of an answer: what a source said, coerced as GraphQL §3.5 says, and written as it came where nothing says otherwise.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{super::domain::data::Json, input::quoted, schema::Scalar};

/// A value of the answer.
#[derive(Debug, Clone)]
pub(super) enum Output {
    Null,
    /// As the source wrote it.
    Raw(Json),
    /// JSON that was made.
    Text(String),
    List(Vec<Output>),
    Object(Vec<(Arc<str>, Output)>),
}

impl Output {
    /// Writes JSON.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Raw(json) => out.push_str(json.get()),
            Self::Text(text) => out.push_str(text),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    // A response key is a name: letters, digits and underscores.
                    out.push('"');
                    out.push_str(key);
                    out.push_str("\":");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// A value that is not null, as this scalar. `None`: it is none.
pub(super) fn scalar(scalar: Scalar, json: Json) -> Option<Output> {
    let text = json.get();
    let first = text.as_bytes().first().copied()?;
    let is_number = matches!(first, b'-' | b'0'..=b'9');
    match scalar {
        Scalar::Own => Some(Output::Raw(json)),
        Scalar::Int if is_number => int(text),
        Scalar::Float if is_number => Some(Output::Raw(json)),
        Scalar::String | Scalar::Id if first == b'"' => Some(Output::Raw(json)),
        Scalar::String if is_number || matches!(first, b't' | b'f') => Some(Output::Text(quoted(text))),
        Scalar::Id if is_number && !text.contains(['.', 'e', 'E']) => Some(Output::Text(quoted(text))),
        Scalar::Boolean if matches!(first, b't' | b'f') => Some(Output::Raw(json)),
        _ => None,
    }
}

/// A whole number of 32 bits, also where it is written with a fraction of nothing.
fn int(text: &str) -> Option<Output> {
    if let Ok(number) = text.parse::<i32>() {
        return Some(Output::Text(number.to_string()));
    }
    let number: f64 = text.parse().ok()?;
    let is_int = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    is_int.then(|| Output::Text(format!("{number:.0}")))
}

/// A value that is not null, as one of these. `None`: it is none of them.
pub(super) fn enumerated(values: &[String], json: &RawValue) -> Option<Output> {
    let given: String = serde_json::from_str(json.get()).ok()?;
    values.contains(&given).then(|| Output::Text(quoted(&given)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Scalar, text: &str) -> Option<String> {
        let json: Json = Arc::from(RawValue::from_string(text.to_owned()).expect("JSON"));
        let mut out = String::new();
        scalar(kind, json)?.write(&mut out);
        Some(out)
    }

    #[test]
    fn scalars_are_coerced_as_the_specification_says() {
        for (kind, text, expected) in [
            (Scalar::Int, "7", Some("7")),
            (Scalar::Int, "-2147483648", Some("-2147483648")),
            (Scalar::Int, "2147483648", None),
            (Scalar::Int, "1.0", Some("1")),
            (Scalar::Int, "1.5", None),
            (Scalar::Int, "\"1\"", None),
            (Scalar::Float, "0.10", Some("0.10")),
            (Scalar::Float, "\"1\"", None),
            (Scalar::String, "\"\\u00e9\"", Some("\"\\u00e9\"")),
            (Scalar::String, "1.10", Some("\"1.10\"")),
            (Scalar::String, "{}", None),
            (Scalar::Id, "12345678901234567890123", Some("\"12345678901234567890123\"")),
            (Scalar::Id, "1.5", None),
            (Scalar::Boolean, "true", Some("true")),
            (Scalar::Boolean, "1", None),
            (Scalar::Own, "{\"a\": 1.10}", Some("{\"a\": 1.10}")),
        ] {
            assert_eq!(written(kind, text).as_deref(), expected, "{kind:?} {text}");
        }
    }
}
