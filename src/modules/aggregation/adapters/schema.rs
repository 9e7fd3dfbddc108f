//! Response schemas: an answer that does not keep to its source's JSON Schema is an error of the source. A schema is compiled
//! when the configuration is loaded, from its file and nothing else: references lead nowhere outside it.

use std::{fmt, fs, path::Path};

use serde_json::value::RawValue;

use super::super::application::ports::AnswerSchema;
use crate::platform::json;

/// A schema's file is not longer than this; more is some other file.
const LONGEST: u64 = 4 << 20;
/// The longest message about an answer, in characters.
const MESSAGE: usize = 200;

/// A schema, compiled.
pub(super) struct ResponseSchema(jsonschema::Validator);

impl fmt::Debug for ResponseSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseSchema")
    }
}

impl ResponseSchema {
    /// Reads and compiles a schema's file.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let wrong = |detail: String| format!("{}: {detail}", path.display());
        let length = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if length > LONGEST {
            return Err(wrong("the file is longer than 4 MiB".to_owned()));
        }
        let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let schema = json::parse(&text).map_err(|error| wrong(error.to_string()))?;
        Self::compile(&schema).map_err(wrong)
    }

    fn compile(schema: &serde_json::Value) -> Result<Self, String> {
        let options = jsonschema::options().should_validate_formats(true).offline();
        options.build(schema).map(Self).map_err(|error| error.to_string())
    }
}

impl AnswerSchema for ResponseSchema {
    fn check(&self, body: &RawValue) -> Result<(), String> {
        let value = serde_json::from_str(body.get()).map_err(|_| "a number or the nesting is too large".to_owned())?;
        let Some(error) = self.0.iter_errors(&value).next() else { return Ok(()) };
        // What stands there is not repeated: it may be secret, and long.
        let text = format!("{}: {}", error.instance_path(), error.masked_with("it"));
        Err(text.chars().take(MESSAGE).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_fault_is_told_without_what_stands_there() {
        let schema = json!({"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]});
        let schema = ResponseSchema::compile(&schema).expect("a schema");
        let check = |text: &str| schema.check(&RawValue::from_string(text.to_owned()).expect("JSON"));
        assert_eq!(check(r#"{"id": 7}"#), Ok(()));
        let told = check(r#"{"id": "secret"}"#).expect_err("wrong");
        assert!(told.starts_with("/id: ") && !told.contains("secret"), "{told}");
        assert!(check("[]").is_err() && check(r#"{"id": 1e400}"#).is_err());
    }

    #[test]
    fn references_lead_nowhere_outside() {
        for place in ["http://127.0.0.1:1/schema.json", "file:///etc/passwd"] {
            assert!(ResponseSchema::compile(&json!({"$ref": place})).is_err(), "{place}");
        }
    }
}
